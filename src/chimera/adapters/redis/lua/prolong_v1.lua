-- Have a lock last longer, only while it is ours.
-- KEYS[1] lock
-- ARGV    token, ttl ms from now
-- Answer  1 it is ours, 0 it is not.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
