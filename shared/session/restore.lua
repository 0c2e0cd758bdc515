-- restore: puts a document back that Redis lost, under a new epoch. Of several nodes that try, the
-- first one does it: the others find another epoch than they expected.
--
-- KEYS  1 head  2 log  3 snapshot  4 answered  5 index of the lane's documents  6 channel
--       7 versions: those that Redis still has stay, for they are of what was before
-- ARGV  1 flow id   2 epoch ('': none) and 3 seq that the caller found   4 fresh epoch
--       5 document  6 its size  7 title  8 number of nodes  9 number of edges
--       10 "<epoch> <seq>" that the document was held at   11 retention in ms   12 publish command
--       then two for each client whose newest change is known: client id, "<change id> <ms>"
-- returns the new epoch, or nothing if Redis changed meanwhile
local head, log, snapshot, answered, index, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local found_epoch, found_seq, epoch, retention = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[11]

local now_epoch, seq = read_head(head)
if (now_epoch or '') ~= found_epoch or seq ~= found_seq then
  return false
end
redis.call('DEL', log)
-- What Redis still remembers counts as answered; the seqs of another epoch say nothing in this one.
local remembered = redis.call('HGETALL', answered)
for i = 1, #remembered, 2 do
  local answer = string.gsub(remembered[i + 1], ' %d+ ', ' 0 ', 1)
  redis.call('HSET', answered, remembered[i], answer)
end
redis.call('HSET', head, 'epoch', epoch, 'seq', 0, 'at', 0, 'bytes', 0, 'base', ARGV[6], 'folded', 0, 'from', ARGV[10])
redis.call('HSETNX', head, 'created', 0) -- it was, some time
redis.call('HSET', snapshot, 'epoch', epoch, 'seq', 0, 'bytes', 0, 'document', ARGV[5],
  'title', ARGV[7], 'nodes', ARGV[8], 'edges', ARGV[9])
for i = 13, #ARGV, 2 do
  local id, at = string.match(ARGV[i + 1], '^(%d+) (%d+)$')
  local known = redis.call('HGET', answered, ARGV[i])
  if not known or tonumber(string.match(known, '^%d+')) < tonumber(id) then
    redis.call('HSET', answered, ARGV[i], id .. ' 0 ' .. at)
  end
end
redis.call('ZADD', index, now(), ARGV[1])
keep_for(retention, head, snapshot, answered, KEYS[7])
redis.call(ARGV[12], channel, 'r ' .. epoch)
return epoch
