package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Options say what a Redis is to be like.
type Options struct {
	Dir      string   // for data, words and certificates; it must exist
	Settings []string // further ones of each redis-server, as on its command line
	Replicas int      // of each master, with Sentinel and in a Cluster
	Socket   bool     // also listen on a Unix socket; of one server
	TLS      bool     // listen with TLS alone
	Mutual   bool     // and ask clients for certificates
	Names    []string // further names in the servers' certificates
	// Rights of the user "helix", as behind ACL SETUSER. Empty: there are no users, and everybody may do
	// everything.
	Rights string
	// SentinelRights of the same user at the sentinels, where Rights are set.
	SentinelRights string
}

// User is the name of the user with few rights.
const User = "helix"

// Redis is what was started.
type Redis struct {
	URL          string // for an edge, without credentials
	Username     string // and what it needs beside the URL; empty: nothing
	Password     string
	Certificates *Certificates // nil without TLS
	Servers      []*Server     // masters first, in the order of their slots
	Sentinels    []*Server
	// SentinelUsername and SentinelPassword are what sentinels ask for; empty: nothing.
	SentinelUsername, SentinelPassword string

	o       Options
	access  *access
	masters int
}

// FullURL is the URL with the credentials in it.
func (r *Redis) FullURL() string {
	if r.Password == "" {
		return r.URL
	}
	scheme, rest, _ := strings.Cut(r.URL, "://")
	return scheme + "://" + url.UserPassword(r.Username, r.Password).String() + "@" + rest
}

// AdminURL is the URL for the user who may do everything.
func (r *Redis) AdminURL() string {
	if r.access.password == "" {
		return r.URL
	}
	scheme, rest, _ := strings.Cut(r.URL, "://")
	return scheme + "://" + url.UserPassword("default", r.access.password).String() + "@" + rest
}

func prepare(o Options) (*Redis, error) {
	r := &Redis{o: o, access: &access{}}
	if o.TLS {
		c, err := NewCertificates(o.Dir, o.Names...)
		if err != nil {
			return nil, err
		}
		r.Certificates, r.access.tls = c, c.serverTLS
	}
	if o.Rights != "" {
		r.access.password = rand.Text()
		r.Username, r.Password = User, rand.Text()
	}
	return r, nil
}

func (r *Redis) scheme(rest string) string {
	switch {
	case r.o.TLS && rest == "":
		return "rediss://"
	case r.o.TLS:
		return "rediss-" + rest + "://"
	case rest == "":
		return "redis://"
	}
	return "redis-" + rest + "://"
}

// again tries a start that another process's port may spoil.
func again(start func() (*Redis, error)) (*Redis, error) {
	var failed error
	for range 3 {
		r, err := start()
		if err == nil {
			return r, nil
		}
		failed = err
		if r != nil {
			r.Stop()
		}
	}
	return nil, failed
}

// Single starts one server.
func Single(o Options) (*Redis, error) {
	return again(func() (*Redis, error) {
		r, err := prepare(o)
		if err != nil {
			return r, err
		}
		s, err := r.add("redis")
		if err != nil {
			return r, err
		}
		if o.Socket {
			s.Socket = s.Dir() + "/redis.sock"
			s.args = append(s.args, "--unixsocket", s.Socket)
		}
		r.URL, r.masters = r.scheme("")+s.Addr+"/0", 1
		return r, s.Run()
	})
}

// add prepares one more redis-server.
func (r *Redis) add(name string) (*Server, error) {
	path, err := binary()
	if err != nil {
		return nil, err
	}
	s, err := newServer(r.o.Dir, name, r.access)
	if err != nil {
		return nil, err
	}
	s.args = append([]string{
		path, "--bind", "127.0.0.1", "--dir", s.Dir(), "--logfile", s.log, "--save", "", "--appendonly", "no",
		"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--shutdown-timeout", "0",
	}, r.listen(s)...)
	if p := r.access.password; p != "" {
		s.args = append(s.args, "--requirepass", p, "--masterauth", p, "--user", User, "on", ">"+r.Password)
		s.args = append(s.args, strings.Fields(r.o.Rights)...)
	}
	s.args = append(s.args, r.o.Settings...)
	r.Servers = append(r.Servers, s)
	return s, nil
}

func (r *Redis) listen(s *Server) []string {
	if !r.o.TLS {
		return []string{"--port", s.port()}
	}
	c, ask := r.Certificates, "no"
	if r.o.Mutual {
		ask = "yes"
	}
	return []string{
		"--port", "0", "--tls-port", s.port(), "--tls-cert-file", c.serverCert, "--tls-key-file", c.serverKey, "--tls-ca-cert-file", c.CAFile,
		"--tls-auth-clients", ask, "--tls-replication", "yes", "--tls-cluster", "yes",
	}
}

// Stop ends all servers, and waits for that.
func (r *Redis) Stop() {
	var all sync.WaitGroup
	for _, s := range append(append([]*Server(nil), r.Sentinels...), r.Servers...) {
		all.Go(s.stop)
	}
	all.Wait()
}

// each does something with several servers at once.
func each(list []*Server, do func(*Server) error) error {
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i, s := range list {
		all.Go(func() { errs[i] = do(s) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Settle waits until every server that is alive has its place: one master for each part, its replicas
// linked to it and up to date, the sentinels or the Cluster agreed.
func (r *Redis) Settle(ctx context.Context) error {
	for _, s := range r.Servers {
		err := until(ctx, s.Name+" is no part of it yet", func() (bool, error) {
			info, err := s.admin.Info(ctx, "replication").Result()
			if err != nil {
				return false, err
			}
			settled := strings.Contains(info, "role:master") || strings.Contains(info, "master_link_status:up")
			return settled, nil
		})
		if err != nil {
			return err
		}
	}
	switch {
	case len(r.Sentinels) > 0:
		return r.settleSentinels(ctx)
	case r.masters > 1:
		return r.settleCluster(ctx)
	}
	return nil
}

// startTime is what a Redis may take to start.
const startTime = 60 * time.Second

func role(ctx context.Context, s *Server) string {
	reply, err := s.admin.Do(ctx, "ROLE").Slice()
	if err != nil || len(reply) == 0 {
		return ""
	}
	return fmt.Sprint(reply[0])
}

// Channels gives the channels that begin with a prefix and have subscribers.
func (r *Redis) Channels(ctx context.Context, prefix string) (all []string, err error) {
	for _, s := range r.Servers {
		for _, kind := range []string{"CHANNELS", "SHARDCHANNELS"} {
			list, err := s.admin.Do(ctx, "PUBSUB", kind, prefix+"*").StringSlice()
			if err != nil {
				return nil, fmt.Errorf("ask %s for its subscriptions: %w", s.Name, err)
			}
			all = append(all, list...)
		}
	}
	return all, nil
}

// Do sends a command to every master, as the user who may do everything.
func (r *Redis) Do(ctx context.Context, command ...any) error {
	masters := r.Masters(ctx)
	if len(masters) == 0 {
		return fmt.Errorf("%v: no master answers", command)
	}
	return each(masters, func(s *Server) error {
		if err := s.admin.Do(ctx, command...).Err(); err != nil {
			return fmt.Errorf("%v on %s: %w", command, s.Name, err)
		}
		return nil
	})
}

// Replicas gives the replicas of a master that are linked to it, and others are not asked.
func (r *Redis) Replicas(ctx context.Context, master *Server) (list []*Server) {
	for _, s := range r.Servers {
		reply, err := s.admin.Do(ctx, "ROLE").Slice()
		if err == nil && len(reply) > 2 && fmt.Sprint(reply[0]) == "slave" && fmt.Sprint(reply[2]) == master.port() {
			list = append(list, s)
		}
	}
	return list
}

// AwaitAgreement waits until all sentinels that are alive name another master than one.
func (r *Redis) AwaitAgreement(ctx context.Context, old *Server) error {
	return until(ctx, "a sentinel still takes "+old.Name+" for the master", func() (bool, error) {
		for _, s := range r.Sentinels {
			addr, err := s.admin.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName).StringSlice()
			if err == nil && len(addr) == 2 && addr[1] == old.port() {
				return false, nil
			}
		}
		return true, nil
	})
}

// AwaitFailover waits until another server is the master in the place of one.
func (r *Redis) AwaitFailover(ctx context.Context, old *Server, replicas []*Server) error {
	return until(ctx, "nobody takes the place of "+old.Name, func() (bool, error) {
		for _, s := range replicas {
			if role(ctx, s) == "master" {
				return true, nil
			}
		}
		return false, nil
	})
}
