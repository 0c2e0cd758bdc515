-- handback: the holder gives its lease up before the TTL does, and tells the other edges.
--
-- KEYS  1 lease  2 channel
-- ARGV  1 node  2 fencing token  3 publish command
-- returns 1 if the lease was given up, 0 if it was not the caller's any more
if redis.call('GET', KEYS[1]) ~= ARGV[2] .. ' ' .. ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call(ARGV[3], KEYS[2], 'v')
return 1
