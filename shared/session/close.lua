-- close: ends a flow's session everywhere, on purpose, for its clients to be told flow_deleted.
--
-- KEYS  1 lease  2 session  3 head  4 index of the lane's sessions  5 channel  6 log  7 snapshot  8 answered
--       10 versions
-- ARGV  1 flow id  2 retention in ms  3 publish command
-- returns how many clients the session had; 0 where there was none
local lease, session, head, index, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local flow, retention, publish = ARGV[1], ARGV[2], ARGV[3]

local number = redis.call('HGET', session, 'number')
if not number then
  redis.call('ZREM', index, flow)
  return 0
end
local at = now()
local total = count(session, at)
end_session(lease, session, head, index, channel, flow, retention, publish, number, at, 'deleted')
return total
