-- What a consumer took and never acknowledged, delivered once more; makes the group (from 0) and the stream if need be.
-- KEYS[1] stream
-- ARGV    group, consumer, count
-- Answer  {{id, deliveries, {field, value, ...}}, ...}. Records that were trimmed away are acknowledged and left out.
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
  return made
end
local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '0')
local answer = {}
if not found then
  return answer
end
for _, record in ipairs(found[1][2]) do
  local id, fields = record[1], record[2]
  if fields then
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)
    answer[#answer + 1] = {id, pending[1] and pending[1][4] or 1, fields}
  else
    redis.call('XACK', KEYS[1], ARGV[1], id)
  end
end
return answer
