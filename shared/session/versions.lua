-- versions: a flow's list of versions, where its document is, and who some clients are.
--
-- KEYS  1 head  2 versions  3 authors
-- ARGV  client ids
-- returns {number of the list or '0', the list or '', epoch or '', seq, its time in ms, then for each client
--          "<ms> <who it is, JSON>" or '' where that is not known}
local head, versions, authors = KEYS[1], KEYS[2], KEYS[3]

local number, list = unpack(redis.call('HMGET', versions, 'number', 'list'))
local epoch, seq, at = read_head(head)
local reply = {number or '0', list or '', epoch or '', integer(seq), integer(at)}
for _, client in ipairs(ARGV) do
  reply[#reply + 1] = redis.call('HGET', authors, client) or ''
end
return reply
