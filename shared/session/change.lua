-- change: gives a run of changes of one flow their seqs and publishes them: acknowledged means ordered.
-- The changes of one run come from one node, in the order in which it took them.
--
-- KEYS  1 lease  2 session  3 head  4 channel
-- ARGV  1 node         2 number of changes   3 the published message behind its header (see message.go)
--       4 lease TTL in ms   5 retention in ms   6 fresh epoch   7 publish command
-- returns {epoch, first seq, 1 if the node is counted in the session else 0,
--          fencing token if the node holds the lease else '0'}
local lease, session, head, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local node, changes, body = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local lease_ttl, retention, fresh_epoch, publish = ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local epoch = epoch_of(head, fresh_epoch)
local first = redis.call('HINCRBY', head, 'seq', changes) - changes + 1
local at = now()
local counted, token = 0, '0'
if redis.call('HEXISTS', session, 'n:' .. node) == 1 then
  counted = 1
  token = take_lease(lease, head, node, lease_ttl)
end
if redis.call('EXISTS', session) == 1 then
  redis.call('HSET', session, 'activity', integer(at))
else
  redis.call('PEXPIRE', head, retention)
end
redis.call(publish, channel, 'u ' .. epoch .. ' ' .. integer(first) .. ' ' .. integer(at) .. ' ' .. body)
return {epoch, first, counted, token}
