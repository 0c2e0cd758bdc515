-- read: what a flow's document is made of, consistent in itself: the log behind a seq where it reaches
-- back that far, else the snapshot and the log behind that.
--
-- KEYS  1 head  2 log  3 snapshot
-- ARGV  1 epoch and 2 seq to read from; '' asks for the snapshot
-- returns {'log', epoch, seq, from, runs of changes as they were published ...}
--       {'document', epoch, seq, from, seq of the snapshot or '0', "bytes" at it, document or '', runs ...}
--       {'none'} where the flow has no document and never had one
local head, log, snapshot = KEYS[1], KEYS[2], KEYS[3]
local known_epoch, known_seq = ARGV[1], tonumber(ARGV[2])

local epoch, seq = read_head(head)
if not epoch then
  return {'none'}
end
local from = redis.call('HGET', head, 'from') or ''
local reply
if epoch == known_epoch and known_seq <= seq then
  local entries = redis.call('XRANGE', log, integer(known_seq + 1), '+')
  if reaches(entries, known_seq, seq) then
    reply = {'log', epoch, integer(seq), from}
    for _, entry in ipairs(entries) do
      reply[#reply + 1] = entry[2][2]
    end
    return reply
  end
end
local kept = redis.call('HMGET', snapshot, 'epoch', 'seq', 'bytes', 'document')
if kept[1] == epoch then
  reply = {'document', epoch, integer(seq), from, kept[2], kept[3], kept[4]}
else
  reply = {'document', epoch, integer(seq), from, '0', '0', ''}
end
for _, entry in ipairs(redis.call('XRANGE', log, integer(tonumber(reply[5]) + 1), '+')) do
  reply[#reply + 1] = entry[2][2]
end
return reply
