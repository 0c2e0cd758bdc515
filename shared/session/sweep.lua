-- sweep: flows of one lane that nobody changed for long, to be asked whether they are still there.
--
-- KEYS  1 index of the lane's documents
-- ARGV  1 ms before which they were changed last   2 how many, at most
--       3 where among them to begin, from 0 to 1: those that are read but never changed stay, and would
--         for ever be the first
-- returns flow ids
local index, before, most, from = KEYS[1], '(' .. ARGV[1], ARGV[2], tonumber(ARGV[3])
local old = redis.call('ZCOUNT', index, '-inf', before)
return redis.call('ZRANGEBYSCORE', index, '-inf', before, 'LIMIT', math.floor(old * from), most)
