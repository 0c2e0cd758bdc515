-- author: keeps who a client is that changes a flow, for the versions that hold its changes.
--
-- KEYS  1 authors
-- ARGV  1 client id   2 who it is, JSON   3 retention in ms
-- returns 1
local authors = KEYS[1]

local MOST_AUTHORS = 256 -- past them the half is forgotten that was told longest ago

redis.call('HSET', authors, ARGV[1], integer(now()) .. ' ' .. ARGV[2])
if redis.call('HLEN', authors) > MOST_AUTHORS then
  local all, times = redis.call('HGETALL', authors), {}
  for i = 2, #all, 2 do
    times[#times + 1] = tonumber(string.match(all[i], '^%d+'))
  end
  table.sort(times)
  local oldest = times[math.floor(#times / 2)]
  for i = 1, #all, 2 do
    if tonumber(string.match(all[i + 1], '^%d+')) <= oldest and all[i] ~= ARGV[1] then
      redis.call('HDEL', authors, all[i])
    end
  end
end
keep_for(ARGV[3], authors)
return 1
