-- members: what some of a flow's clients tell of themselves: the first ones by their fields.
--
-- KEYS  1 session  2 presence
-- ARGV  1 how many, at most
-- returns two for each client: "<node> <member> <client id>", "<version> <what it tells>"
local session, presence, most = KEYS[1], KEYS[2], tonumber(ARGV[1])

local reply = {}
if presence_version(presence, redis.call('HGET', session, 'number')) > 0 then
  local fields = redis.call('HKEYS', presence) -- names alone: what clients tell may be long
  table.sort(fields)
  for _, field in ipairs(fields) do
    if #reply == 2 * most then
      break
    end
    if #field > 1 then
      reply[#reply + 1] = field
      reply[#reply + 1] = redis.call('HGET', presence, field)
    end
  end
end
return reply
