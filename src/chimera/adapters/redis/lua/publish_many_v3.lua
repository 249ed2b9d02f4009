-- Append records to one stream, each once, in the order given.
-- KEYS[1] stream; KEYS[2] what it has seen: event ids by the moment (ms), one key in the stream's slot, so that a slot
--         that moves to another server holds up appends no longer than its two keys take
-- ARGV    seen time-out ms, stream length kept (about), then the records as JSON: [[event id, field, value, ...], ...]
-- Answer  how many were appended; the others were seen before. A mark is set after its record, so that a refused append
--         is never taken for a done one.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[1]))
local appended = 0
for _, record in ipairs(cjson.decode(ARGV[3])) do
  if not redis.call('ZSCORE', KEYS[2], record[1]) then
    local append = {'XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*'}
    for i = 2, #record do
      append[#append + 1] = record[i]
    end
    redis.call(unpack(append))
    redis.call('ZADD', KEYS[2], now, record[1])
    appended = appended + 1
  end
end
if appended > 0 then
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
return appended
