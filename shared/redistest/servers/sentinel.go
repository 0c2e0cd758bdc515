package servers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MasterName is what the sentinels call the master.
const MasterName = "main"

// Times of failovers, short ones: a master that is silent for DownAfter is replaced.
const (
	DownAfter       = 2 * time.Second // on a busy machine a master may well be silent for one
	failoverTimeout = 3 * time.Second
	sentinels       = 3
)

// Sentinel starts a master, its replicas (two where Options name no number), and three sentinels that watch
// them. With Rights the sentinels ask for a password too.
func Sentinel(o Options) (*Redis, error) {
	if o.Replicas == 0 {
		o.Replicas = 2
	}
	return again(func() (*Redis, error) {
		r, err := prepare(o)
		if err != nil {
			return r, err
		}
		if o.Rights != "" {
			r.SentinelUsername, r.SentinelPassword = User, rand.Text()
		}
		r.masters = 1
		for i := range 1 + o.Replicas {
			s, err := r.add(fmt.Sprintf("redis-%d", i))
			if err != nil {
				return r, err
			}
			if i > 0 {
				s.args = append(s.args, "--replicaof", "127.0.0.1", r.Servers[0].port())
			}
		}
		if err := each(r.Servers, (*Server).Run); err != nil {
			return r, err
		}
		if err := r.addSentinels(); err != nil {
			return r, err
		}
		if err := each(r.Sentinels, (*Server).Run); err != nil {
			return r, err
		}
		var addrs []string
		for _, s := range r.Sentinels {
			addrs = append(addrs, s.Addr)
		}
		r.URL = r.scheme("sentinel") + strings.Join(addrs, ",") + "/" + MasterName
		ctx, cancel := context.WithTimeout(context.Background(), startTime)
		defer cancel()
		return r, r.Settle(ctx)
	})
}

// addSentinels prepares sentinels that know each other and the replicas from the beginning: to find them
// by themselves takes them seconds.
func (r *Redis) addSentinels() error {
	path, err := binary()
	if err != nil {
		return err
	}
	access := &access{tls: r.access.tls}
	if r.SentinelPassword != "" {
		access.password = rand.Text()
	}
	var ids []string
	for i := range sentinels {
		s, err := newServer(r.o.Dir, fmt.Sprintf("sentinel-%d", i), access)
		if err != nil {
			return err
		}
		r.Sentinels = append(r.Sentinels, s)
		id := make([]byte, 20)
		_, _ = rand.Read(id)
		ids = append(ids, hex.EncodeToString(id))
	}
	for i, s := range r.Sentinels {
		var b strings.Builder
		listen := r.listen(s)
		for k := 0; k < len(listen); k += 2 {
			fmt.Fprintf(&b, "%s %s\n", strings.TrimPrefix(listen[k], "--"), listen[k+1])
		}
		fmt.Fprintf(&b, "bind 127.0.0.1\ndir %s\nlogfile %s\n", s.Dir(), s.log)
		fmt.Fprintf(&b, "sentinel myid %s\nsentinel monitor %s 127.0.0.1 %s 2\n", ids[i], MasterName, r.Servers[0].port())
		fmt.Fprintf(&b, "sentinel down-after-milliseconds %s %d\nsentinel failover-timeout %[1]s %[3]d\nsentinel parallel-syncs %[1]s 2\n", MasterName, DownAfter.Milliseconds(), failoverTimeout.Milliseconds())
		if p := r.access.password; p != "" {
			fmt.Fprintf(&b, "sentinel auth-pass %s %s\n", MasterName, p)
		}
		if p := access.password; p != "" {
			fmt.Fprintf(&b, "requirepass %s\nsentinel sentinel-pass %[1]s\nuser %s on >%s %s\n", p, User, r.SentinelPassword, r.o.SentinelRights)
		}
		for _, replica := range r.Servers[1:] {
			fmt.Fprintf(&b, "sentinel known-replica %s 127.0.0.1 %s\n", MasterName, replica.port())
		}
		for k, other := range r.Sentinels {
			if k != i {
				fmt.Fprintf(&b, "sentinel known-sentinel %s 127.0.0.1 %s %s\n", MasterName, other.port(), ids[k])
			}
		}
		file := filepath.Join(s.Dir(), "sentinel.conf")
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			return fmt.Errorf("write a sentinel's settings: %w", err)
		}
		s.args = []string{path, file, "--sentinel"}
	}
	return nil
}

// Master gives the server that the sentinels call the master.
func (r *Redis) Master(ctx context.Context) (*Server, error) {
	var failed error
	for _, s := range r.Sentinels {
		addr, err := s.admin.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName).StringSlice()
		if err != nil || len(addr) != 2 {
			failed = errors.Join(failed, fmt.Errorf("ask %s for the master: %w", s.Name, err))
			continue
		}
		for _, m := range r.Servers {
			if m.Addr == net.JoinHostPort(addr[0], addr[1]) {
				return m, nil
			}
		}
	}
	return nil, failed
}

// settleSentinels waits until there is one master, as all sentinels say, and the others are its replicas.
func (r *Redis) settleSentinels(ctx context.Context) error {
	return until(ctx, "the sentinels do not agree", func() (bool, error) {
		masters := 0
		for _, s := range r.Servers {
			if role(ctx, s) == "master" {
				masters++
			}
		}
		if masters != 1 {
			return false, fmt.Errorf("there are %d masters", masters)
		}
		for _, s := range r.Sentinels {
			v, err := s.admin.Do(ctx, "SENTINEL", "MASTER", MasterName).StringSlice()
			if err != nil {
				return false, err
			}
			fields := map[string]string{}
			for i := 0; i+1 < len(v); i += 2 {
				fields[v[i]] = v[i+1]
			}
			if fields["flags"] != "master" || fields["num-other-sentinels"] != fmt.Sprint(sentinels-1) || fields["num-slaves"] != fmt.Sprint(r.o.Replicas) {
				return false, fmt.Errorf("%s: %s, %s other sentinels, %s replicas", s.Name, fields["flags"], fields["num-other-sentinels"], fields["num-slaves"])
			}
			for _, m := range r.Servers {
				if m.port() == fields["port"] && role(ctx, m) != "master" {
					return false, fmt.Errorf("%s takes %s for the master", s.Name, m.Name)
				}
			}
		}
		return true, nil
	})
}
