package lanes

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Schemes are those of the URLs that Open knows.
const Schemes = "redis, rediss, unix, redis-sentinel, rediss-sentinel, redis-cluster, rediss-cluster"

// target is what a URL names.
type target struct {
	kind       kind
	single     *redis.Options // of kind single
	addrs      []string       // of the others
	master     string         // of sentinel
	db         int
	secure     bool // TLS
	skipVerify bool
	username   string
	password   string
}

type kind int

const (
	kindSingle kind = iota
	kindSentinel
	kindCluster
)

// CheckURL says what is wrong with a URL, without the password in it.
func CheckURL(raw string) error {
	_, err := parseURL(raw)
	return err
}

// HasPassword says whether a URL brings a user name or a password.
func HasPassword(raw string) bool {
	t, err := parseURL(raw)
	return err == nil && (t.username != "" || t.password != "")
}

// UsesTLS says whether a URL asks for TLS.
func UsesTLS(raw string) bool {
	t, err := parseURL(raw)
	return err == nil && t.secure
}

// UsesCluster says whether a URL is of a Cluster.
func UsesCluster(raw string) bool {
	t, err := parseURL(raw)
	return err == nil && t.kind == kindCluster
}

// UsesSentinel says whether a URL is of sentinels.
func UsesSentinel(raw string) bool {
	t, err := parseURL(raw)
	return err == nil && t.kind == kindSentinel
}

func parseURL(raw string) (t target, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return t, fmt.Errorf("parse the Redis URL: %w", hideURL(err))
	}
	t.username = u.User.Username()
	t.password, _ = u.User.Password()
	t.secure = strings.HasPrefix(u.Scheme, "rediss")
	switch u.Scheme {
	case "redis", "rediss", "unix":
		o, err := redis.ParseURL(raw)
		if err != nil {
			return t, fmt.Errorf("parse the Redis URL: %w", hideURL(err))
		}
		t.single, t.addrs, t.username, t.password = o, []string{o.Addr}, o.Username, o.Password
		t.skipVerify = o.TLSConfig != nil && o.TLSConfig.InsecureSkipVerify
		return t, nil
	case "redis-sentinel", "rediss-sentinel": // redis-sentinel://[user:password@]host:port,host:port/master[/db]
		t.kind, t.addrs = kindSentinel, addresses(u.Host, "26379")
		master, db, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
		if master == "" {
			return t, fmt.Errorf("the Redis URL names no master: want %s://host:port,host:port/master", u.Scheme)
		}
		t.master = master
		if db != "" {
			if t.db, err = strconv.Atoi(db); err != nil || t.db < 0 {
				return t, fmt.Errorf("the Redis URL's database %q is no number", db)
			}
		}
	case "redis-cluster", "rediss-cluster": // redis-cluster://[user:password@]host:port,host:port
		t.kind, t.addrs = kindCluster, addresses(u.Host, "6379")
		if path := strings.Trim(u.Path, "/"); path != "" && path != "0" {
			return t, fmt.Errorf("the Redis URL asks for database %q: a Cluster has only 0", path)
		}
	default:
		return t, fmt.Errorf("the Redis URL's scheme %q is none of %s", u.Scheme, Schemes)
	}
	for _, addr := range t.addrs {
		if strings.HasPrefix(addr, ":") {
			return t, fmt.Errorf("the Redis URL names no host, or an empty one: want %s://host:port,host:port", u.Scheme)
		}
	}
	return t, t.parseQuery(u)
}

// parseQuery reads what may stand behind the "?" of a URL of Sentinel or Cluster.
func (t *target) parseQuery(u *url.URL) error {
	for name, values := range u.Query() {
		if name != "skip_verify" || !t.secure {
			return fmt.Errorf("the Redis URL has an unknown parameter %q", name)
		}
		on, err := strconv.ParseBool(values[0])
		if err != nil {
			return fmt.Errorf("the Redis URL's skip_verify is %q: it must be true or false", values[0])
		}
		t.skipVerify = on
	}
	return nil
}

// connect makes the client. A script is never sent twice by itself (MaxRetries -1, and see once): whether
// a change that lost its answer was carried out is for the caller to find out.
func connect(o Options) (client redis.UniversalClient, watch *watch, err error) {
	t, err := parseURL(o.URL)
	if err != nil {
		return nil, nil, err
	}
	d, err := newDialer(t, o.TLS, o.Timeout)
	if err != nil {
		return nil, nil, err
	}
	credentials, err := o.Credentials.provider(t.username, t.password)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare to connect to Redis: %w", err)
	}
	switch t.kind {
	case kindSentinel:
		user, password, err := o.Sentinel.now("", "")
		if err != nil {
			return nil, nil, fmt.Errorf("prepare to connect to the sentinels: %w", err)
		}
		c := redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: t.master, SentinelAddrs: t.addrs, SentinelUsername: user, SentinelPassword: password, DB: t.db,
			Dialer: d.dial, CredentialsProviderContext: credentials, MaxRetries: -1, Protocol: 2, DisableIdentity: true,
			DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, DialerRetries: 1, ContextTimeoutEnabled: true,
		})
		watch := watchMaster(c)
		return c, watch, nil
	case kindCluster:
		c := redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: t.addrs, Dialer: d.dial, CredentialsProviderContext: credentials, MaxRetries: -1, Protocol: 2, DisableIdentity: true,
			DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, DialerRetries: 1, ContextTimeoutEnabled: true,
			MaintNotificationsConfig: noMaintenance(), DisableRoutingPolicies: true, ClusterStateReloadInterval: clusterLook,
		})
		return c, watchCluster(c), nil
	}
	s := t.single
	s.Dialer, s.TLSConfig, s.CredentialsProviderContext = d.dial, nil, credentials
	s.MaxRetries, s.Protocol, s.MaintNotificationsConfig, s.DisableIdentity = -1, 2, noMaintenance(), true
	s.DialTimeout, s.ReadTimeout, s.WriteTimeout = o.Timeout, o.Timeout, o.Timeout
	s.DialerRetries, s.ContextTimeoutEnabled = 1, true
	return redis.NewClient(s), &watch0, nil
}

// clusterLook is how old the map of a Cluster's slots gets while nothing goes wrong.
const clusterLook = 10 * time.Second

func addresses(hosts, port string) []string {
	list := strings.Split(hosts, ",")
	for i, h := range list {
		if h = strings.TrimSpace(h); !strings.Contains(h, ":") || strings.HasSuffix(h, "]") {
			h += ":" + port
		}
		list[i] = h
	}
	return list
}

// hideURL keeps the URL itself, which may hold a password, out of an error.
func hideURL(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // url.Parse returns it as it is
		return e.Err
	}
	return err
}

// ctxProvider gives a user name and a password for one connection.
type ctxProvider = func(context.Context) (username, password string, err error)
