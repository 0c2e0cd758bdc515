-- delete: ends a flow's session and removes its document. The head stays, under a new epoch and with
-- what it was before: so no node takes this for a loss and puts the document back.
--
-- KEYS  1 lease  2 session  3 head  4 index of sessions  5 channel  6 log  7 snapshot  8 answered
--       9 index of documents  10 versions  11 presence  12 authors
-- ARGV  1 flow id  2 retention in ms  3 publish command  4 fresh epoch
--       5 "<epoch> <seq>" at which alone it is done; '': anywhere
-- returns {'ok', 1 if there was a document else 0, how many clients the session had}
--       {'moved', epoch or '', seq}   the flow is elsewhere: nothing was done
local lease, session, head, index, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local log, snapshot, answered, documents, versions, presence, authors = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local flow, retention, publish, fresh_epoch = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local epoch, seq = read_head(head)
if ARGV[5] ~= '' and ARGV[5] ~= (epoch or '') .. ' ' .. integer(seq) then
  return {'moved', epoch or '', integer(seq)}
end
local total, at = 0, now()
local number = redis.call('HGET', session, 'number')
if number then
  total = count(session, at)
  end_session(lease, session, head, index, channel, flow, retention, publish, number, at, 'deleted')
end
local existed = redis.call('ZREM', documents, flow)
redis.call('DEL', log, snapshot, answered, versions, presence, authors)
if epoch and (number or existed == 1) then
  redis.call('HDEL', head, 'at', 'bytes', 'base', 'folded', 'created')
  redis.call('HSET', head, 'epoch', fresh_epoch, 'seq', 0, 'from', epoch .. ' ' .. integer(seq), 'deleted', epoch)
  keep_for(retention, head)
end
return {'ok', existed, total}
