-- Append a record once.
-- KEYS[1] stream, KEYS[2] seen key of the event id, both in one slot
-- ARGV    seen time-out ms, stream length kept (about), then field, value, field, value, ...
-- Answer  1 appended, 0 seen before. The mark is set last, so that a refused append is never taken for a done one.
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
local append = {'XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*'}
for i = 3, #ARGV do
  append[#append + 1] = ARGV[i]
end
redis.call(unpack(append))
redis.call('SET', KEYS[2], '1', 'PX', ARGV[1])
return 1
