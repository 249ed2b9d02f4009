-- Give back tasks that were claimed, all but those that somebody has moved, dropped or claimed since.
-- KEYS[1] queue
-- ARGV    moment until which they were claimed, then task, moment at which it is due now (ms), task, moment, ...
-- Answer  how many were given back.
local back = 0
for i = 2, #ARGV, 2 do
  local held = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if held and tonumber(held) == tonumber(ARGV[1]) then
    redis.call('ZADD', KEYS[1], ARGV[i + 1], ARGV[i])
    back = back + 1
  end
end
return back
