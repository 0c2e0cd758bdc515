-- change: gives a run of changes of one flow their seqs, keeps them in the log, and publishes them:
-- acknowledged means ordered and stored. The changes of one run come from one node, in the order in
-- which it took them.
--
-- KEYS  1 lease  2 session  3 head  4 log  5 answered  6 index of the lane's documents  7 channel  8 snapshot
--       9 versions
-- ARGV  1 node   2 flow id  3 lease TTL in ms   4 retention in ms   5 fresh epoch   6 publish command
--       7 epoch, 8 seq and 9 its time, that the node holds the document at ('', 0 and 0: it does not)
--       10 most bytes of the document, 0: any    11 seq at which the caller knows that the run fits, or -1
--       12 "<epoch> <seq>" at which alone the run is carried out ('' and 0: no epoch yet); '': anywhere
--       13 the run's opening (see message.go), then five for each part of the run:
--          number of changes, client id, change id (0: none; then the part may hold many changes),
--          '1' if the change is refused for good and only that is noted, the changes
-- returns {'ok', epoch, first seq, ms of now, 1 if the node is counted in the session else 0,
--          fencing token if the node holds the lease else '0', unfolded changes, "bytes" after the run,
--          time of the run before in ms,
--          then for each part that was a repeat: its index from 0, the seq that it had got,
--          or 0 if only a later change of its client is remembered, or -1 if it was refused}
--       {'lost', epoch or '', seq}   Redis knows less than the node: nothing was done
--       {'full', epoch, seq}         the document might grow over its limit: nothing was done
--       {'moved', epoch or '', seq}  the flow is elsewhere than the run is for: nothing was done
local lease, session, head, log, answered, index, channel, snapshot, versions = unpack(KEYS)
local node, flow, lease_ttl, retention, fresh_epoch, publish = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local known_epoch, known_seq, known_at = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local limit, fits_at = tonumber(ARGV[10]), tonumber(ARGV[11])

local MOST_ANSWERED = 4096 -- clients whose newest change id is remembered

local epoch, seq, before, bytes, base, folded = read_head(head)
if has_lost(epoch, seq, before, known_epoch, known_seq, known_at) then
  return {'lost', epoch or '', integer(seq)}
end
if ARGV[12] ~= '' and ARGV[12] ~= (epoch or '') .. ' ' .. integer(seq) then
  return {'moved', epoch or '', integer(seq)}
end
if not epoch then
  forget_remains(log, snapshot, answered, versions)
end

-- Which parts are new, and which were carried out before.
local parts, count, size, news, repeats = {ARGV[13]}, 0, 0, {}, {}
for i = 14, #ARGV, 5 do
  local client, id, changes = ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 4]
  local newest = id > 0 and (news[client] or read_answer(redis.call('HGET', answered, client)))
  if newest and id <= newest.id then
    local got = id == newest.id and newest.seq or 0
    if string.find(newest.refused .. ' ', ' ' .. ARGV[i + 2] .. ' ', 1, true) then
      got = -1
    end
    repeats[#repeats + 1] = (i - 14) / 5
    repeats[#repeats + 1] = got
  elseif ARGV[i + 3] == '1' then
    news[client] = {id = id, seq = 0, refused = latest(newest.refused .. ' ' .. ARGV[i + 2])}
  else
    count = count + tonumber(ARGV[i])
    size = size + #changes
    parts[#parts + 1] = changes
    if id > 0 then
      news[client] = {id = id, seq = seq + count, refused = newest.refused}
    end
  end
end

if limit > 0 and count > 0 and bytes + size + base > limit and fits_at ~= seq then
  return {'full', epoch or '', integer(seq)}
end

local at = now()
local counted, token = 0, '0'
local number, own = unpack(redis.call('HMGET', session, 'number', 'n:' .. node))
if own then
  counted = 1
  token = take_lease(lease, head, node, lease_ttl)
end
local reply = {'ok', epoch or fresh_epoch, seq + 1, at, counted, token, seq + count - folded, bytes + size, before}
for _, r in ipairs(repeats) do
  reply[#reply + 1] = r
end
local began = not number or before == 0
for client, answer in pairs(news) do
  local first = redis.call('HSET', answered, client, string.format('%.0f %.0f %.0f%s', answer.id, answer.seq, at, answer.refused))
  began = began or first == 1
end
if next(news) and redis.call('HLEN', answered) > MOST_ANSWERED then
  forget_half(answered)
end
if count == 0 then
  if next(news) and began then
    keep_for(retention, answered)
  end
  return reply
end

if seq == 0 then -- unknown stays unknown: see restore
  redis.call('HSETNX', head, 'created', at)
end
seq, bytes = seq + count, bytes + size
redis.call('HSET', head, 'epoch', reply[2], 'seq', seq, 'at', at, 'bytes', bytes)
parts[1] = string.format('u %s %.0f %.0f %.0f %.0f %s', reply[2], reply[3], at, bytes, before, parts[1])
local message = table.concat(parts)
redis.call('XADD', log, string.format('%.0f-0', seq), 'u', message)
redis.call('ZADD', index, at, flow)
if number then
  redis.call('HSET', session, 'activity', at)
end
if began then -- else the session's registrations keep it
  keep_for(retention, head, log, snapshot, answered, versions)
end
redis.call(publish, channel, message)
return reply
