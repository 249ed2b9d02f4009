-- Take over records that other consumers left unacknowledged for a while.
-- KEYS[1] stream
-- ARGV    group, consumer, idle ms, count
-- Answer  {{id, deliveries, {field, value, ...}}, ...}; records that were trimmed away leave the pending list.
local group, consumer, idle, count = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM')
if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
  return made
end
local answer, from = {}, '-'
while #answer < count do
  local page = redis.call('XPENDING', KEYS[1], group, 'IDLE', idle, from, '+', 100)
  for _, pending in ipairs(page) do
    if pending[2] ~= consumer and #answer < count then
      local taken = redis.call('XCLAIM', KEYS[1], group, consumer, idle, pending[1])
      if taken[1] and taken[1][2] then
        answer[#answer + 1] = {pending[1], pending[4] + 1, taken[1][2]}
      else
        redis.call('XACK', KEYS[1], group, pending[1])
      end
    end
  end
  if #page < 100 then
    break
  end
  from = '(' .. page[#page][1]
end
return answer
