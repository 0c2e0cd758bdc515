-- presence: what clients of a node tell of themselves, and which of them are gone.
--
-- KEYS  1 session  2 presence  3 channel
-- ARGV  1 node  2 TTL of the hash in ms  3 publish command  4 the same as below, as it is published (see message.go)
--       then two for each client: "<member> <client id>", and what it tells as JSON or '' if it is gone
-- returns {version before, version}; nothing where the node has no clients in a session
local session, presence, channel = KEYS[1], KEYS[2], KEYS[3]
local node, ttl, publish, told = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local number, counted = unpack(redis.call('HMGET', session, 'number', 'n:' .. node))
if not counted then
  return false
end
local before = open_presence(presence, number)
local version = integer(math.max(before + 1, now()))
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', presence, node .. ' ' .. ARGV[i])
  else
    redis.call('HSET', presence, node .. ' ' .. ARGV[i], version .. ' ' .. ARGV[i + 1])
  end
end
redis.call('HSET', presence, 'v', version)
redis.call('PEXPIRE', presence, ttl)
redis.call(publish, channel, 'p ' .. integer(before) .. ' ' .. version .. ' ' .. node .. '\n' .. told)
return {integer(before), version}
