-- status: what is known of a flow's session.
--
-- KEYS  1 session  2 index of the lane's sessions
-- ARGV  1 flow id
-- returns {clients, started in ms, last activity in ms}, or nothing where there is no session
local session, index = KEYS[1], KEYS[2]

local started, activity = unpack(redis.call('HMGET', session, 'started', 'activity'))
local total = 0
if started then
  total = count(session, now())
end
if total == 0 then
  if not started then
    redis.call('ZREM', index, ARGV[1]) -- its session ended by TTL: nobody was left to take it out
  end
  return false
end
return {total, started, activity}
