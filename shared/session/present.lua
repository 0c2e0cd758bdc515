-- The presence hash of a session; the Go side puts this text before the scripts that need it, behind count.lua.
--
-- It holds
--   s                              number of the session that it is of; of another one it is void
--   v                              version: rises with each change, and is a time, so that it never comes again
--   <node> <member> <client id>    "<version> <what the client tells of itself, JSON>"

-- open_presence: makes the hash one of the session's; returns its version.
local function open_presence(presence, number)
  local of, version = unpack(redis.call('HMGET', presence, 's', 'v'))
  if of ~= number then
    redis.call('DEL', presence)
    redis.call('HSET', presence, 's', number)
    return 0
  end
  return tonumber(version or 0)
end

-- presence_version: of the session's presence; 0 where nobody told anything.
local function presence_version(presence, number)
  local of, version = unpack(redis.call('HMGET', presence, 's', 'v'))
  return of == number and tonumber(version or 0) or 0
end

-- forget_presence: takes the clients of dead nodes out and tells the others.
local function forget_presence(presence, channel, publish, number, nodes, at)
  local before = presence_version(presence, number)
  if before == 0 then
    return
  end
  for _, field in ipairs(redis.call('HKEYS', presence)) do
    for _, node in ipairs(nodes) do
      if string.sub(field, 1, #node + 1) == node .. ' ' then
        redis.call('HDEL', presence, field)
      end
    end
  end
  local version = integer(math.max(before + 1, at))
  redis.call('HSET', presence, 'v', version)
  redis.call(publish, channel, 'g ' .. integer(before) .. ' ' .. version .. ' ' .. table.concat(nodes, ' '))
end
