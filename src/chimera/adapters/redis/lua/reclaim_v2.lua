-- Take over records that other consumers left unacknowledged for a while.
-- KEYS[1] stream
-- ARGV    group, consumer, idle ms, count, '1' where the caller has told of what is gone
-- Answer  {gone, {{id, deliveries, {field, value, ...}}, ...}}. Gone: such records that went by the stream's length; then
--         nothing is taken over until that was told.
local group, consumer, idle, count, told = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM')
if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
  return made
end
local wanted, lost, from = {}, {}, '-'
while #wanted < count do
  local page = redis.call('XPENDING', KEYS[1], group, 'IDLE', idle, from, '+', 100)
  for _, pending in ipairs(page) do
    if pending[2] ~= consumer and #wanted < count then
      if #redis.call('XRANGE', KEYS[1], pending[1], pending[1]) > 0 then
        wanted[#wanted + 1] = pending
      else
        lost[#lost + 1] = pending[1]
      end
    end
  end
  if #page < 100 then
    break
  end
  from = '(' .. page[#page][1]
end
if #lost > 0 and not told then
  return {#lost, {}}
end
for _, id in ipairs(lost) do
  redis.call('XACK', KEYS[1], group, id)
end
local answer = {}
for _, pending in ipairs(wanted) do
  local taken = redis.call('XCLAIM', KEYS[1], group, consumer, idle, pending[1])
  answer[#answer + 1] = {pending[1], pending[4] + 1, taken[1][2]}
end
return {0, answer}
