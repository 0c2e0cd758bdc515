package lanes

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// connect makes the client for a URL. A script is never sent twice by itself (MaxRetries -1): whether
// a change that lost its answer was carried out is for the caller to find out.
func connect(raw string, timeout time.Duration) (client redis.UniversalClient, cluster bool, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, false, fmt.Errorf("parse the Redis URL: %w", hideURL(err))
	}
	switch u.Scheme {
	case "redis", "rediss", "unix":
		o, err := redis.ParseURL(raw)
		if err != nil {
			return nil, false, fmt.Errorf("parse the Redis URL: %w", hideURL(err))
		}
		o.MaxRetries, o.Protocol, o.MaintNotificationsConfig = -1, 2, noMaintenance()
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = timeout, timeout, timeout
		o.DialerRetries, o.ContextTimeoutEnabled = 1, true
		return redis.NewClient(o), false, nil
	case "redis-sentinel", "rediss-sentinel":
		o, err := sentinelOptions(u)
		if err != nil {
			return nil, false, err
		}
		o.MaxRetries, o.Protocol = -1, 2
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = timeout, timeout, timeout
		o.DialerRetries, o.ContextTimeoutEnabled = 1, true
		return redis.NewFailoverClient(o), false, nil
	case "redis-cluster", "rediss-cluster":
		password, _ := u.User.Password()
		o := &redis.ClusterOptions{
			Addrs: addresses(u.Host, "6379"), Username: u.User.Username(), Password: password, TLSConfig: tlsConfig(u),
			MaxRetries: -1, Protocol: 2, MaintNotificationsConfig: noMaintenance(),
			DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout,
			DialerRetries: 1, ContextTimeoutEnabled: true,
		}
		return redis.NewClusterClient(o), true, nil
	}
	return nil, false, fmt.Errorf("the Redis URL's scheme %q is none of redis, rediss, unix, redis-sentinel, rediss-sentinel, redis-cluster, rediss-cluster", u.Scheme)
}

// sentinelOptions reads redis-sentinel://[user:password@]host:port,host:port/master[/db].
func sentinelOptions(u *url.URL) (*redis.FailoverOptions, error) {
	master, db, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if master == "" {
		return nil, fmt.Errorf("the Redis URL names no master: want %s://host:port,host:port/master", u.Scheme)
	}
	password, _ := u.User.Password()
	o := &redis.FailoverOptions{
		MasterName: master, SentinelAddrs: addresses(u.Host, "26379"),
		Username: u.User.Username(), Password: password, TLSConfig: tlsConfig(u),
	}
	if db != "" {
		n, err := strconv.Atoi(db)
		if err != nil {
			return nil, fmt.Errorf("the Redis URL's database %q is no number", db)
		}
		o.DB = n
	}
	return o, nil
}

func addresses(hosts, port string) []string {
	list := strings.Split(hosts, ",")
	for i, h := range list {
		if !strings.Contains(h, ":") || strings.HasSuffix(h, "]") {
			list[i] = h + ":" + port
		}
	}
	return list
}

func tlsConfig(u *url.URL) *tls.Config {
	if !strings.HasPrefix(u.Scheme, "rediss") {
		return nil
	}
	name, _, _ := strings.Cut(u.Host, ",")
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		name = name[:i]
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: strings.Trim(name, "[]")}
}

// hideURL keeps the URL itself, which may hold a password, out of an error.
func hideURL(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // url.Parse returns it as it is
		return e.Err
	}
	return err
}
