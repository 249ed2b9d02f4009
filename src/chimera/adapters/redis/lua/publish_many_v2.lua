-- Append records to one stream, each once, in the order given.
-- KEYS[1] stream, KEYS[2..] seen keys of the event ids, one for each record, all in one slot
-- ARGV    seen time-out ms, stream length kept (about), then the records as JSON: [[field, value, field, ...], ...]
-- Answer  how many were appended; the others were seen before. A mark is set after its record, so that a refused append
--         is never taken for a done one.
local records = cjson.decode(ARGV[3])
local appended = 0
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    local append = {'XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*'}
    for _, word in ipairs(records[i - 1]) do
      append[#append + 1] = word
    end
    redis.call(unpack(append))
    redis.call('SET', KEYS[i], '1', 'PX', ARGV[1])
    appended = appended + 1
  end
end
return appended
