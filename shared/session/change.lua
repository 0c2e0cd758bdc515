-- change: gives a run of changes of one flow their seqs, keeps them in the log, and publishes them:
-- acknowledged means ordered and stored. The changes of one run come from one node, in the order in
-- which it took them.
--
-- KEYS  1 lease  2 session  3 head  4 log  5 answered  6 index of the lane's documents  7 channel  8 snapshot
-- ARGV  1 node   2 flow id  3 lease TTL in ms   4 retention in ms   5 fresh epoch   6 publish command
--       7 epoch, 8 seq and 9 its time, that the node holds the document at ('', 0 and 0: it does not)
--       10 most bytes of the document, 0: any    11 seq at which the caller knows that the run fits, or -1
--       12 the run's opening (see message.go), then four for each part of the run:
--          number of changes, client id, change id (0: none; then the part may hold many changes), the changes
-- returns {'ok', epoch, first seq, ms of now, 1 if the node is counted in the session else 0,
--          fencing token if the node holds the lease else '0', unfolded changes, "bytes" after the run,
--          time of the run before in ms,
--          then for each part that was a repeat: its index from 0, the seq that it had got or 0 if only a later change of its client is remembered}
--       {'lost', epoch or '', seq}   Redis knows less than the node: nothing was done
--       {'full', epoch, seq}         the document might grow over its limit: nothing was done
local lease, session, head, log, answered, index, channel, snapshot = unpack(KEYS)
local node, flow, lease_ttl, retention, fresh_epoch, publish = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local known_epoch, known_seq, known_at = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local limit, fits_at = tonumber(ARGV[10]), tonumber(ARGV[11])

local MOST_ANSWERED = 4096 -- clients whose newest change id is remembered

local epoch, seq, before, bytes, base, folded = read_head(head)
if has_lost(epoch, seq, before, known_epoch, known_seq, known_at) then
  return {'lost', epoch or '', integer(seq)}
end
if not epoch then
  forget_remains(log, snapshot, answered)
end

-- Which parts are new, and which were carried out before.
local parts, count, size, news, repeats = {ARGV[12]}, 0, 0, {}, {}
for i = 13, #ARGV, 4 do
  local client, id = ARGV[i + 1], tonumber(ARGV[i + 2])
  local last, last_seq = 0, 0
  if id > 0 then
    if news[client] then
      last = news[client][1]
    else
      local known = redis.call('HGET', answered, client)
      if known then
        last, last_seq = string.match(known, '^(%d+) (%d+)')
        last = tonumber(last)
      end
    end
  end
  if id > 0 and id <= last then
    repeats[#repeats + 1] = (i - 13) / 4
    repeats[#repeats + 1] = id == last and last_seq or 0
    if news[client] and id == last then
      repeats[#repeats] = integer(news[client][2])
    end
  else
    count = count + tonumber(ARGV[i])
    size = size + #ARGV[i + 3]
    parts[#parts + 1] = ARGV[i + 3]
    if id > 0 then
      news[client] = {id, seq + count}
    end
  end
end

if limit > 0 and count > 0 and bytes + size + base > limit and fits_at ~= seq then
  return {'full', epoch or '', integer(seq)}
end

local at = now()
local counted, token = 0, '0'
if redis.call('HEXISTS', session, 'n:' .. node) == 1 then
  counted = 1
  token = take_lease(lease, head, node, lease_ttl)
end
local reply = {'ok', epoch or fresh_epoch, integer(seq + 1), integer(at), counted, token, integer(seq + count - folded), integer(bytes + size), integer(before)}
for _, r in ipairs(repeats) do
  reply[#reply + 1] = r
end
if count == 0 then
  return reply
end

seq, bytes = seq + count, bytes + size
redis.call('HSET', head, 'epoch', reply[2], 'seq', integer(seq), 'at', reply[4], 'bytes', integer(bytes))
parts[1] = 'u ' .. reply[2] .. ' ' .. reply[3] .. ' ' .. reply[4] .. ' ' .. integer(bytes) .. ' ' .. integer(before) .. ' ' .. parts[1]
local message = table.concat(parts)
redis.call('XADD', log, integer(seq) .. '-0', 'u', message)
redis.call('PEXPIRE', log, retention)
redis.call('ZADD', index, at, flow)
if next(news) then
  for client, answer in pairs(news) do
    redis.call('HSET', answered, client, integer(answer[1]) .. ' ' .. integer(answer[2]) .. ' ' .. reply[4])
  end
  if redis.call('HLEN', answered) > MOST_ANSWERED then
    forget_half(answered)
  end
  redis.call('PEXPIRE', answered, retention)
end
if redis.call('EXISTS', session) == 1 then
  redis.call('HSET', session, 'activity', reply[4]) -- its registrations keep the rest
else
  keep_for(retention, head, log, snapshot, answered)
end
redis.call(publish, channel, message)
return reply
