-- delete: ends a flow's session and removes its document. The head stays, under a new epoch and with
-- what it was before: so no node takes this for a loss and puts the document back.
--
-- KEYS  1 lease  2 session  3 head  4 index of sessions  5 channel  6 log  7 snapshot  8 answered  9 index of documents
-- ARGV  1 flow id  2 retention in ms  3 publish command  4 fresh epoch
-- returns {1 if there was a document else 0, how many clients the session had}
local lease, session, head, index, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local log, snapshot, answered, documents = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local flow, retention, publish, fresh_epoch = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local total, at = 0, now()
local number = redis.call('HGET', session, 'number')
if number then
  total = count(session, at)
  end_session(lease, session, head, index, channel, flow, retention, publish, number, at, 'deleted')
end
local epoch, seq = read_head(head)
local existed = redis.call('ZREM', documents, flow)
redis.call('DEL', log, snapshot, answered)
if epoch then
  redis.call('HDEL', head, 'at', 'bytes', 'base', 'folded')
  redis.call('HSET', head, 'epoch', fresh_epoch, 'seq', 0, 'from', epoch .. ' ' .. integer(seq))
  keep_for(retention, head)
end
return {existed, total}
