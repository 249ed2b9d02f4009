-- Put lines beside a snapshot and read all that stands there, in one step.
-- KEYS[1] lines: a hash of "gone ms" and document by name; KEYS[2] snapshot
-- ARGV    ttl ms, then name, document, name, document, ... (none: only read)
-- Answer  {snapshot or nil, {name, document, name, document, ...}}
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], string.format('%.0f', now + tonumber(ARGV[1])) .. ' ' .. ARGV[i + 1])
end
if #ARGV > 1 and redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
local held, found = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #held, 2 do
  local gone, document = string.match(held[i + 1], '^(%d+) (.*)$')
  if gone and tonumber(gone) > now then
    found[#found + 1] = held[i]
    found[#found + 1] = document
  elseif #ARGV > 1 then
    redis.call('HDEL', KEYS[1], held[i])
  end
end
return {redis.call('GET', KEYS[2]), found}
