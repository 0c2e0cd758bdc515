-- summary: what a list of flows shows of one. A flow whose document is gone, as after its retention, is
-- taken out of the index.
--
-- KEYS  1 session  2 head  3 snapshot  4 index of the lane's documents
-- ARGV  1 flow id
-- returns {'document', epoch, seq, created in ms or '0', updated in ms or '0', clients,
--          seq of the snapshot or '0', title, nodes, edges}
--       {'none', epoch or '', seq} where the flow has no document
local session, head, snapshot, index, flow = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]

local epoch, seq = read_head(head)
local kept = redis.call('HMGET', snapshot, 'epoch', 'seq', 'title', 'nodes', 'edges')
if not epoch or (seq == 0 and kept[1] ~= epoch) then
  redis.call('ZREM', index, flow)
  return {'none', epoch or '', integer(seq)}
end
if kept[1] ~= epoch then
  kept = {epoch, '0', '', '0', '0'}
end
local clients = count(session, now())
local created = redis.call('HGET', head, 'created') or '0'
local updated = redis.call('ZSCORE', index, flow) or '0'
return {'document', epoch, integer(seq), created, integer(tonumber(updated)), clients, kept[2], kept[3], kept[4], kept[5]}
