-- Functions that several scripts share; the Go side puts this text before theirs.

-- now: Redis's clock in milliseconds since 1970. One clock for all edges: theirs may differ.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- count: the clients of all nodes that are alive in a session.
-- session  key of the session hash; a field "n:<node>" holds "<count> <deadline in ms>"
-- at       the present time in ms
-- returns  total clients, their count by node, the nodes that are past their deadline, and the
--          earliest deadline by node
local function count(session, at)
  local total, counts, dead, deadlines = 0, {}, {}, {}
  local fields = redis.call('HGETALL', session)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'n:' then
      local clients, deadline = string.match(fields[i + 1], '^(%d+) (%d+)$')
      local node = string.sub(fields[i], 3)
      if tonumber(deadline) < at then
        dead[#dead + 1] = node
      else
        counts[node] = tonumber(clients)
        deadlines[node] = tonumber(deadline)
        total = total + counts[node]
      end
    end
  end
  return total, counts, dead, deadlines
end

-- integer: a number as Redis writes integers; tostring would turn large ones into floats.
local function integer(n)
  return string.format('%.0f', n)
end

-- epoch_of: the flow's epoch; a flow without one gets the fresh one: its seqs start anew.
local function epoch_of(head, fresh)
  local epoch = redis.call('HGET', head, 'epoch')
  if not epoch then
    epoch = fresh
    redis.call('HSET', head, 'epoch', epoch)
  end
  return epoch
end

-- take_lease: gives the lease to the node if nobody holds it.
-- returns the node's fencing token as a string, or '0' where another node holds the lease
local function take_lease(lease, head, node, ttl)
  local held = redis.call('GET', lease)
  if not held then
    local token = integer(redis.call('HINCRBY', head, 'fence', 1))
    redis.call('SET', lease, token .. ' ' .. node, 'PX', ttl)
    return token
  end
  local token, holder = string.match(held, '^(%d+) (.+)$')
  if holder == node then
    return token
  end
  return '0'
end
