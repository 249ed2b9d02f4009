-- Take the tasks that are due, earliest first, out of everybody else's sight for a while.
-- KEYS[1] queue: a sorted set of tasks by the moment they are due
-- ARGV    now ms, until ms, count
-- Answer  {task, due ms, task, due ms, ...}. Each is due again at "until" unless somebody moves or drops it before.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for i = 1, #due, 2 do
  redis.call('ZADD', KEYS[1], ARGV[2], due[i])
end
return due
