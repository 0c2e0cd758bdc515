-- version: one version of a flow's document.
--
-- KEYS  1 versions
-- ARGV  1 id of the version
-- returns {the list of versions or '', the document or ''}
local list, document = unpack(redis.call('HMGET', KEYS[1], 'list', 'd:' .. ARGV[1]))
return {list or '', document or ''}
