-- The document's side of a flow; the Go side puts this text before the scripts that need it, behind count.lua.
--
-- The head hash holds
--   epoch, seq   the run of seqs and the newest of them
--   at           Redis's time of the newest in ms: with the seq it tells two histories apart
--   bytes        of all changes of the epoch up to seq
--   base         the document's size at some seq less "bytes" at that seq: bytes + base is never less
--                than the document's size, for a patch adds at most itself
--   folded       the newest seq that the snapshot holds
--   from         "<epoch> <seq>": what this epoch was put back from, or what was deleted (restore, delete)
--   created      ms of the document's first change; 0: not known
--   deleted      the epoch that the last deletion ended: nodes that were in its session are out of it
--   session, closed, fence   see register and end

-- read_head: epoch (false where there is none), seq, at, bytes, base, folded.
local function read_head(head)
  local v = redis.call('HMGET', head, 'epoch', 'seq', 'at', 'bytes', 'base', 'folded')
  return v[1], tonumber(v[2] or 0), tonumber(v[3] or 0), tonumber(v[4] or 0), tonumber(v[5] or 2), tonumber(v[6] or 0)
end

-- is_other: whether the time of a run is not the one that a node knows; 0: it knows none.
local function is_other(at, known_at)
  return known_at > 0 and at ~= known_at
end

-- has_lost: whether Redis knows less, or other, than a node that holds the flow's document: it was
-- restarted with an older or an empty data set, or another node put a document back already. Where Redis
-- is further on, the node finds out by the next run that it gets: each tells the time of the one before.
local function has_lost(epoch, seq, at, known_epoch, known_seq, known_at)
  return known_epoch ~= '' and (epoch ~= known_epoch or seq < known_seq or (seq == known_seq and is_other(at, known_at)))
end

-- time_of: the time in ms of the run in the log that ends with a seq; nil where the log has no such run.
local function time_of(log, seq)
  local entry = redis.call('XRANGE', log, integer(seq), integer(seq))[1]
  return entry and tonumber(string.match(entry[2][2], '^u %S+ %d+ (%d+) '))
end

-- reaches: whether log entries, oldest first, follow on a seq without a gap.
local function reaches(entries, after, newest)
  if #entries == 0 then
    return after == newest
  end
  return tonumber(string.match(entries[1][2][2], '^u %S+ (%d+) ')) <= after + 1
end

-- forks: whether what Redis has behind a seq follows on another run than the one that a node knows to end
-- there. entries: the log behind the seq, oldest first; one that does not reach back to it does not tell.
local function forks(entries, known_seq, known_at, newest, newest_at)
  if known_seq == newest then
    return is_other(newest_at, known_at)
  end
  if known_at == 0 or #entries == 0 then
    return false
  end
  local first, before = string.match(entries[1][2][2], '^u %S+ (%d+) %d+ %d+ (%d+) ')
  first = tonumber(first)
  return first <= known_seq or (first == known_seq + 1 and is_other(tonumber(before), known_at))
end

-- forget_remains: before a new epoch, what the one before left behind goes: their keys end by themselves,
-- each in its own time, and seqs that start anew do not fit a log that has them.
local function forget_remains(log, snapshot, answered, versions)
  redis.call('DEL', log, snapshot, answered, versions)
end

-- read_answer: what the hash of answered changes holds of a client: "<newest id> <its seq> <ms>", then ids
-- before it that were refused for good, each behind a space.
local function read_answer(known)
  local id, seq, _, refused = string.match(known or '0 0 0', '^(%d+) (%d+) (%d+)(.*)$')
  return {id = tonumber(id), seq = tonumber(seq), refused = refused}
end

-- latest: of ids that were refused, each behind a space, the 16 that came last.
local function latest(refused)
  local ids = {}
  for id in string.gmatch(refused, ' %d+') do
    ids[#ids + 1] = id
  end
  return table.concat(ids, '', math.max(#ids - 15, 1))
end

-- forget_half: of the clients whose newest change id is remembered, the half that was still for longest.
local function forget_half(answered)
  local all, times = redis.call('HGETALL', answered), {}
  for i = 2, #all, 2 do
    times[#times + 1] = tonumber(string.match(all[i], '^%d+ %d+ (%d+)'))
  end
  table.sort(times)
  local oldest = times[math.floor(#times / 2)]
  for i = 1, #all, 2 do
    if tonumber(string.match(all[i + 1], '^%d+ %d+ (%d+)')) <= oldest then
      redis.call('HDEL', answered, all[i])
    end
  end
end

-- keep_for: what outlives a session lives for the retention from now on.
local function keep_for(retention, ...)
  for _, key in ipairs({...}) do
    redis.call('PEXPIRE', key, retention)
  end
end
