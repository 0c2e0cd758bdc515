// Package redistest gives tests real redis-servers, as people run them: on free ports, ended with their
// test. What starts them is in servers.
package redistest

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"helix/shared/redistest/servers"
)

// Server is a redis-server process of its own.
type Server struct {
	*servers.Server
	URL string
}

// Start starts a redis-server that ends with the test; args are further settings, as on its command
// line. Without persistence, unless args ask for it.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	r := Begin(t, servers.Single, servers.Options{Settings: args})
	return &Server{Server: r.Servers[0], URL: r.URL}
}

// Begin starts a Redis that ends with the test, in a directory of the test's.
func Begin(t testing.TB, start func(servers.Options) (*servers.Redis, error), o servers.Options) *servers.Redis {
	t.Helper()
	o.Dir = t.TempDir()
	r, err := start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	note(r)
	return r
}

// Client gives a connection to the server that ends with the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Move moves the slot of a key, with all keys in it, to another master of a Cluster.
func Move(t testing.TB, r *servers.Redis, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	slot, err := servers.Slot(ctx, r.Servers[0], key)
	must(t, err)
	from, err := r.Owner(ctx, slot)
	must(t, err)
	for _, to := range r.Masters(ctx) {
		if to != from {
			must(t, r.Move(ctx, slot, to, nil))
			return
		}
	}
	t.Fatal("there is no other master")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
