-- list: flows of one lane that have a document, newest change first, behind a place in that order.
--
-- KEYS  1 index of the lane's documents
-- ARGV  1 ms and 2 flow id of the place ('' and '': from the front)   3 how many, at most
-- returns flow id, ms, flow id, ms …: first all of the place's own ms, of which the caller takes what is
--         behind it (Lua compares strings by locale); then so many older ones
local index, at, most = KEYS[1], ARGV[1], ARGV[3]

local reply = {}
local function add(places)
  for i = 1, #places, 2 do
    reply[#reply + 1] = places[i]
    reply[#reply + 1] = integer(tonumber(places[i + 1]))
  end
end

local below = '+inf'
if at ~= '' then
  add(redis.call('ZREVRANGEBYSCORE', index, at, at, 'WITHSCORES'))
  below = '(' .. at
end
add(redis.call('ZREVRANGEBYSCORE', index, below, '-inf', 'WITHSCORES', 'LIMIT', 0, most))
return reply
