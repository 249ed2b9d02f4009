-- Append records to one stream, each once, in the order given.
-- KEYS[1] stream, KEYS[2..] seen keys of the event ids, one for each record, all in one slot
-- ARGV    seen time-out ms, stream length kept (about), then for each record: how many words, field, value, field, ...
-- Answer  how many were appended; the others were seen before. A mark is set after its record, so that a refused append
--         is never taken for a done one.
local appended = 0
local at = 3
for i = 2, #KEYS do
  local words = tonumber(ARGV[at])
  if redis.call('EXISTS', KEYS[i]) == 0 then
    local append = {'XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*'}
    for j = at + 1, at + words do
      append[#append + 1] = ARGV[j]
    end
    redis.call(unpack(append))
    redis.call('SET', KEYS[i], '1', 'PX', ARGV[1])
    appended = appended + 1
  end
  at = at + words + 1
end
return appended
