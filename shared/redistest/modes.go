package redistest

import (
	"os"
	"sync"
	"testing"

	"helix/shared/lanes"
	"helix/shared/redistest/servers"
)

// Prefix begins the keys that the users of EachMode's servers may touch. A test keeps to one of its own
// that begins with it and ":".
const Prefix = "helix"

// EachMode runs a test on every kind of Redis that Helix runs on. Those of a package are started once, when
// first asked for, and shared: a test keeps to a key prefix of its own. The package's TestMain must call
// Main. Options gives what it takes to connect to a URL.
//
//   - embedded: the stand-in
//   - single: one server, on which everybody may do everything
//   - tls: one server with TLS that asks for certificates, and a user of least rights
//   - sentinel: a master with a replica, three sentinels, and a user of least rights at both
//   - cluster: three masters, and a user of least rights
//
// A user of least rights, TLS and a Unix socket are between the client and a server, whatever that is part
// of: so not every pair of them with a mode has servers of its own.
func EachMode(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, "") })
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { t.Parallel(); test(t, m.url(t)) })
	}
}

// mode is a kind of Redis, started when it is asked for.
type mode struct {
	name  string
	start func(dir string) (*servers.Redis, error)

	once  sync.Once
	redis *servers.Redis
	err   error
}

var modes = []*mode{
	{name: "single", start: func(dir string) (*servers.Redis, error) { return servers.Single(servers.Options{Dir: dir}) }},
	{name: "tls", start: func(dir string) (*servers.Redis, error) {
		return servers.Single(servers.Options{Dir: dir, TLS: true, Mutual: true, Rights: lanes.Rights(Prefix, false)})
	}},
	{name: "sentinel", start: func(dir string) (*servers.Redis, error) {
		return servers.Sentinel(servers.Options{Dir: dir, Replicas: 1, Rights: lanes.Rights(Prefix, false), SentinelRights: lanes.SentinelRights()})
	}},
	{name: "cluster", start: func(dir string) (*servers.Redis, error) {
		return servers.Cluster(servers.Options{Dir: dir, Rights: lanes.Rights(Prefix, true)})
	}},
}

func (m *mode) url(t testing.TB) string {
	m.once.Do(func() {
		var dir string
		if dir, m.err = os.MkdirTemp("", "helix-redis-"); m.err != nil {
			return
		}
		common.cleanup(func() { _ = os.RemoveAll(dir) })
		if m.redis, m.err = m.start(dir); m.err == nil {
			common.cleanup(m.redis.Stop)
			note(m.redis)
		}
	})
	if m.err != nil {
		t.Fatalf("start the Redis of mode %s: %v", m.name, m.err)
	}
	return m.redis.URL
}

// Main runs a package's tests and ends the servers that they shared.
func Main(m *testing.M) {
	code := m.Run()
	common.end()
	os.Exit(code)
}

// started knows how to connect to what was started.
var started sync.Map // URL -> *servers.Redis

func note(r *servers.Redis) { started.Store(r.URL, r) }

// Options gives what it takes to connect to a URL of this package, as an edge does.
func Options(url string) lanes.Options {
	o := lanes.Options{URL: url}
	if r, ok := started.Load(url); ok {
		o = OptionsOf(r.(*servers.Redis))
	}
	return o
}

// OptionsOf gives what it takes to connect to a Redis, as an edge does.
func OptionsOf(r *servers.Redis) lanes.Options {
	o := lanes.Options{URL: r.URL}
	o.Credentials.Username, o.Credentials.Password = r.Username, r.Password
	o.Sentinel.Username, o.Sentinel.Password = r.SentinelUsername, r.SentinelPassword
	if c := r.Certificates; c != nil {
		o.TLS = lanes.TLS{CAFile: c.CAFile, CertFile: c.ClientCert, KeyFile: c.ClientKey}
	}
	return o
}

// InspectorOptions are Options for the user who may do everything: to see what an edge may not.
func InspectorOptions(url string) lanes.Options {
	o := Options(url)
	if r, ok := started.Load(url); ok {
		o.URL, o.Credentials = r.(*servers.Redis).AdminURL(), lanes.Credentials{}
	}
	return o
}

// common is what the tests of a package share.
var common shared

type shared struct {
	mu       sync.Mutex
	cleanups []func()
}

func (s *shared) cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

func (s *shared) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
}
