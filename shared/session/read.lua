-- read: what a flow's document is made of, consistent in itself: the log behind a seq where it reaches
-- back that far, else the snapshot and the log behind that.
--
-- KEYS  1 head  2 log  3 snapshot
-- ARGV  1 epoch and 2 seq to read from, '' asks for the snapshot; 3 the seq's time in ms as the caller knows it, or 0
-- returns {'log', epoch, seq, its time, from, runs of changes as they were published ...}
--       {'document', epoch, seq, its time, from, seq of the snapshot or '0', "bytes" at it, document or '', runs ...}
--       {'fork', epoch, seq, its time, from, all runs that the log has ...} where Redis has another change at the
--          caller's seq, or none: it lost changes, and may have been given others
--       {'none'} where the flow has no document and never had one
local head, log, snapshot = KEYS[1], KEYS[2], KEYS[3]
local known_epoch, known_seq, known_at = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local epoch, seq, at = read_head(head)
if not epoch then
  return {'none'}
end
local from = redis.call('HGET', head, 'from') or ''
local reply = {'document', epoch, integer(seq), integer(at), from}

local function with(entries)
  for _, entry in ipairs(entries) do
    reply[#reply + 1] = entry[2][2]
  end
  return reply
end

if epoch == known_epoch and known_seq > seq then
  reply[1] = 'fork'
  return with(redis.call('XRANGE', log, '-', '+'))
end
if epoch == known_epoch then
  local entries = redis.call('XRANGE', log, integer(known_seq + 1), '+')
  if forks(entries, known_seq, known_at, seq, at) then
    reply[1] = 'fork'
    return with(redis.call('XRANGE', log, '-', '+'))
  end
  if reaches(entries, known_seq, seq) then
    reply[1] = 'log'
    return with(entries)
  end
end
local kept = redis.call('HMGET', snapshot, 'epoch', 'seq', 'bytes', 'document')
if kept[1] ~= epoch then
  kept = {epoch, '0', '0', ''}
end
for i = 2, 4 do
  reply[#reply + 1] = kept[i]
end
return with(redis.call('XRANGE', log, integer(tonumber(kept[2]) + 1), '+'))
