-- fold: keeps the document as it is at one seq, and trims the log behind it. The holder of the lease
-- does it; where nobody holds the lease, as without a session, whoever changed the flow may.
--
-- KEYS  1 lease  2 head  3 log  4 snapshot  5 answered  6 versions
-- ARGV  1 node     2 fencing token, '0': the lease must be free
--       3 epoch    4 seq    5 "bytes" at that seq    6 document    7 its size
--       8 title    9 number of nodes    10 number of edges    11 oldest seq that the log keeps at most
--       12 retention in ms   13 time of the seq in ms
-- returns 1 if the snapshot was written; 0 if one as new is there, or the epoch is over, or Redis has
--         another change at the seq, for it lost changes and was given others;
--         -1 if the lease is not the caller's
local lease, head, log, snapshot = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local node, token, epoch, at = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local keep_from, retention = tonumber(ARGV[11]), ARGV[12]

local held = redis.call('GET', lease)
if (held or '0 ') ~= token .. ' ' .. (held and node or '') then
  return -1
end
local now_epoch, seq, _, _, _, folded = read_head(head)
if now_epoch ~= epoch or seq < at or folded >= at or time_of(log, at) ~= tonumber(ARGV[13]) then
  return 0
end
redis.call('HSET', snapshot, 'epoch', epoch, 'seq', ARGV[4], 'bytes', ARGV[5], 'document', ARGV[6],
  'title', ARGV[8], 'nodes', ARGV[9], 'edges', ARGV[10])
redis.call('HSET', head, 'folded', ARGV[4], 'base', integer(tonumber(ARGV[7]) - tonumber(ARGV[5])))
redis.call('XTRIM', log, 'MINID', integer(math.min(at + 1, keep_from)))
keep_for(retention, head, log, snapshot, KEYS[5], KEYS[6])
return 1
