-- expire: the leaseholder ends a session in which nothing has happened for its inactivity timeout.
--
-- KEYS  1 lease  2 session  3 head  4 index of the lane's sessions  5 channel  6 log  7 snapshot  8 answered
--       10 versions
-- ARGV  1 node  2 fencing token  3 inactivity timeout in ms  4 flow id  5 retention in ms  6 publish command
-- returns 1 if the session was ended, 0 if it is active again, -1 if the lease is not the caller's any more
local lease, session, head, index, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local node, token, timeout = ARGV[1], ARGV[2], tonumber(ARGV[3])
local flow, retention, publish = ARGV[4], ARGV[5], ARGV[6]

if redis.call('GET', lease) ~= token .. ' ' .. node then
  return -1
end
local number, activity = unpack(redis.call('HMGET', session, 'number', 'activity'))
local at = now()
if not number or at - activity < timeout then
  return 0
end
end_session(lease, session, head, index, channel, flow, retention, publish, number, at, 'idle')
return 1
