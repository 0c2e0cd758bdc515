package lanes

import "strings"

// Rights are what an edge's user needs of Redis and no more, for ACL SETUSER: the keys and channels that
// begin with prefix, and the commands that an edge sends or that its scripts call. Tests run as this user,
// and see something fail without any one of these.
func Rights(prefix string, cluster bool) string {
	rights := []string{"resetkeys", "resetchannels", "-@all", "~" + prefix + ":*", "&" + prefix + ":*"}
	commands := []string{
		"ping", "eval", "evalsha", // whatever a script calls is checked too
		"del", "get", "set", "pexpire", "time",
		"hdel", "hget", "hgetall", "hincrby", "hkeys", "hlen", "hmget", "hset", "hsetnx",
		"xadd", "xrange", "xtrim",
		"zadd", "zcount", "zrange", "zrangebyscore", "zrem", "zrevrangebyscore", "zscore",
	}
	if cluster {
		commands = append(commands, "cluster|slots", "asking", "spublish", "ssubscribe", "sunsubscribe")
	} else {
		commands = append(commands, "publish", "subscribe", "unsubscribe")
	}
	for _, c := range commands {
		rights = append(rights, "+"+c)
	}
	return strings.Join(rights, " ")
}

// SentinelRights are what an edge's user needs of the sentinels, which have users of their own.
func SentinelRights() string {
	return "resetkeys resetchannels -@all &+switch-master &+replica-reconf-done +ping +subscribe +sentinel|get-master-addr-by-name +sentinel|sentinels"
}
