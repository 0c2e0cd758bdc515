-- keep: writes a flow's list of versions, with the documents that are new in it and without those that are
-- gone from it. What the list is to be its caller decides, from the list as it was.
--
-- KEYS  1 head  2 versions  3 authors
-- ARGV  1 number of the list that the caller read   2 the list   3 retention in ms
--       4 epoch and 5 seq of the document that is new ('' and 0: none is)
--       6 how many versions are gone; then the id of each; then id and document of the new one, if there is one
-- returns the number of the new list; 0 if the list is another by now; -1 if the flow's document is
--         another by now, or was deleted: nothing was done
local head, versions, authors = KEYS[1], KEYS[2], KEYS[3]
local known, list, retention, of_epoch, of_seq, gone = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])

local number = redis.call('HGET', versions, 'number') or '0'
if number ~= known then
  return 0
end
local epoch, seq = read_head(head)
if of_epoch ~= '' and (epoch ~= of_epoch or seq < of_seq) then
  return -1
end
-- A number is a time too, in microseconds, of which each call takes some: so that none comes again after the
-- list was deleted.
local time = redis.call('TIME')
number = integer(math.max(tonumber(number) + 1, time[1] * 1000000 + time[2]))
redis.call('HSET', versions, 'number', number, 'list', list)
for i = 7, 6 + gone do
  redis.call('HDEL', versions, 'd:' .. ARGV[i])
end
if of_epoch ~= '' then
  redis.call('HSET', versions, 'd:' .. ARGV[7 + gone], ARGV[8 + gone])
end
keep_for(retention, versions, authors)
return number
