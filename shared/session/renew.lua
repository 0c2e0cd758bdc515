-- renew: the holder of a lease keeps it. A holder that lost it learns so by its fencing token.
--
-- KEYS  1 lease  2 session
-- ARGV  1 node  2 fencing token  3 lease TTL in ms
-- returns ms since the session's last activity, or -1 if the lease is not the caller's any more
local lease, session = KEYS[1], KEYS[2]
local node, token, ttl = ARGV[1], ARGV[2], ARGV[3]

if redis.call('GET', lease) ~= token .. ' ' .. node then
  return -1
end
redis.call('PEXPIRE', lease, ttl)
local activity = redis.call('HGET', session, 'activity')
if not activity then
  return 0
end
return math.max(now() - activity, 0) -- a server that took over may have a clock that is behind
