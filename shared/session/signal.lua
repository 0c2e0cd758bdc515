-- signal: passes signals on to all nodes; they are not kept.
--
-- KEYS  1 channel
-- ARGV  1 publish command  2 the signals, as they are published (see message.go)
redis.call(ARGV[1], KEYS[1], 's ' .. ARGV[2])
return 1
