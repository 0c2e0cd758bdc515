-- end_session: a function that close and expire share. It removes the session, remembers that it was
-- ended on purpose (an edge that missed the message learns it from "closed" at its next register),
-- and tells the edges why. KEYS 6 to 8 and 10 of
-- both: log, snapshot, answered, versions, which live as long as the head.
local function end_session(lease, session, head, index, channel, flow, retention, publish, number, at, reason)
  local epoch = redis.call('HGET', head, 'epoch')
  redis.call('DEL', lease, session)
  redis.call('ZREM', index, flow)
  redis.call('HSET', head, 'closed', number)
  keep_for(retention, head, KEYS[6], KEYS[7], KEYS[8], KEYS[10])
  redis.call(publish, channel, 'x ' .. epoch .. ' ' .. number .. ' ' .. integer(at) .. ' ' .. reason)
end
