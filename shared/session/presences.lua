-- presences: all that clients tell of themselves.
--
-- KEYS  1 session  2 presence
-- returns {version, then two for each client: "<node> <member> <client id>", "<version> <what it tells>"}
local session, presence = KEYS[1], KEYS[2]

local reply = {integer(presence_version(presence, redis.call('HGET', session, 'number')))}
if reply[1] ~= '0' then
  local fields = redis.call('HGETALL', presence)
  for i = 1, #fields, 2 do
    if #fields[i] > 1 then
      reply[#reply + 1] = fields[i]
      reply[#reply + 1] = fields[i + 1]
    end
  end
end
return reply
