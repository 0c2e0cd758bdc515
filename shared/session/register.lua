-- register: a node says how many clients it wants in a flow and learns how many it may have.
-- It joins, leaves, renews, starts and ends the session, and removes dead nodes, all in one step. The
-- node says its whole number, never a difference: a call that is repeated changes nothing, and a
-- Redis that forgot everything learns it again.
--
-- KEYS  1 lease  2 session  3 head  4 index of the lane's sessions  5 channel  6 log  7 snapshot  8 answered  9 presence
--       10 versions
-- ARGV  1 node                2 clients wanted       3 clients confirmed before
--       4 joined since then   5 left since then      6 max clients of the flow
--       7 node TTL in ms      8 lease TTL in ms      9 retention in ms
--       10 flow id            11 number of the session that the node knows, 0: none
--       12 fresh epoch        13 publish command
--       14 epoch, 15 seq and 16 its time, that the node holds the document at ('', 0 and 0: it does not)
-- returns {'ended'} if the session that the node knows was closed on purpose, or
--       {'lost', epoch or '', seq} if Redis knows less than the node: nothing was done; else
--       {'ok', granted, total, version of the count, session number, started in ms, epoch, seq,
--        fencing token or '0', ms until the next other node's deadline or -1,
--        1 if clients came else 0, 1 if clients went else 0, time of the newest seq in ms,
--        version of the presence}
local lease, session, head, index, channel, presence = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[9]
local node, wanted, before = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local joined, left, max = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local node_ttl, lease_ttl, retention = tonumber(ARGV[7]), ARGV[8], ARGV[9]
local flow, known_number = ARGV[10], tonumber(ARGV[11])
local fresh_epoch, publish = ARGV[12], ARGV[13]

local found_epoch, found_seq, found_at = read_head(head)
if known_number > 0 and redis.call('HGET', head, 'deleted') == ARGV[14] then
  return {'ended'} -- with its document, which is no loss
end
if has_lost(found_epoch, found_seq, found_at, ARGV[14], tonumber(ARGV[15]), tonumber(ARGV[16])) then
  return {'lost', found_epoch or '', integer(found_seq)}
end
if not found_epoch then
  forget_remains(KEYS[6], KEYS[7], KEYS[8], KEYS[10])
end
local epoch = epoch_of(head, fresh_epoch)
-- Whatever the epoch: with a deletion the flow got another one, and the numbers went on.
if known_number > 0 and tonumber(redis.call('HGET', head, 'closed') or 0) >= known_number then
  return {'ended'}
end

local at = now()
local total, counts, dead, deadlines = count(session, at)
for _, gone in ipairs(dead) do
  redis.call('HDEL', session, 'n:' .. gone)
end
-- A deadline further off than the session's keys may live was given by a clock that was ahead of Redis's
-- present one: another server took over.
for other, deadline in pairs(deadlines) do
  if deadline > at + 2 * node_ttl then
    deadlines[other] = at + node_ttl
    redis.call('HSET', session, 'n:' .. other, integer(counts[other]) .. ' ' .. integer(deadlines[other]))
  end
end
local own = counts[node] or 0
local others = total - own
-- Clients that are in stay in, even where others took their places while this node was thought dead.
local granted = math.max(math.min(wanted, max - others), math.min(before, wanted))
total = others + granted

if total == 0 then
  redis.call('DEL', lease, session, presence)
  redis.call('ZREM', index, flow)
  keep_for(retention, head, KEYS[6], KEYS[7], KEYS[8], KEYS[10])
  local seq = redis.call('HGET', head, 'seq') or '0'
  return {'ok', 0, 0, '0', '0', '0', epoch, seq, '0', -1, 0, 0, integer(found_at), 0}
end

local number, started = unpack(redis.call('HMGET', session, 'number', 'started'))
if not number then
  number = integer(redis.call('HINCRBY', head, 'session', 1))
  started = integer(at)
  redis.call('HSET', session, 'number', number, 'started', started, 'activity', started)
  redis.call('ZADD', index, at, flow)
end
if granted > 0 then
  redis.call('HSET', session, 'n:' .. node, integer(granted) .. ' ' .. integer(at + node_ttl))
elseif own > 0 then
  redis.call('HDEL', session, 'n:' .. node)
  forget_presence(presence, channel, publish, number, {node}, at)
end
-- Should every node die at once, nobody is left to end the session: its keys end themselves.
redis.call('PEXPIRE', session, 2 * node_ttl)
redis.call('PEXPIRE', presence, 2 * node_ttl)
if #dead > 0 then
  forget_presence(presence, channel, publish, number, dead, at)
end
keep_for(retention, head, KEYS[6], KEYS[7], KEYS[8], KEYS[10])

local token = '0'
if granted > 0 then
  token = take_lease(lease, head, node, lease_ttl)
else
  local held = redis.call('GET', lease)
  if held and string.match(held, '^%d+ (.+)$') == node then
    redis.call('DEL', lease)
    redis.call(publish, channel, 'v')
  end
end

local version
local more, fewer = 0, 0
if joined > 0 or left > 0 then
  redis.call('HSET', session, 'activity', integer(at))
end
if granted ~= own or joined > 0 or left > 0 or #dead > 0 then
  version = integer(redis.call('HINCRBY', session, 'version', 1))
  more = (granted > before or granted > own) and 1 or 0
  fewer = (left > 0 or granted < own or #dead > 0) and 1 or 0
  redis.call(publish, channel, 'c ' .. epoch .. ' ' .. number .. ' ' .. version .. ' ' .. integer(total) .. ' ' .. more .. fewer)
else
  version = redis.call('HGET', session, 'version') or '0'
end

local next_deadline = -1
for other, deadline in pairs(deadlines) do
  local wait = deadline - at
  if other ~= node and (next_deadline < 0 or wait < next_deadline) then
    next_deadline = wait
  end
end
local seq = redis.call('HGET', head, 'seq') or '0'
return {'ok', granted, total, version, number, started, epoch, seq, token, next_deadline, more, fewer, integer(found_at), integer(presence_version(presence, number))}
