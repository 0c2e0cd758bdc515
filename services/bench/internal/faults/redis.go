package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"helix/bench/internal/proxy"
	"helix/shared/redistest/servers"
)

// Mode is a way in which people run Redis.
type Mode string

// The modes.
const (
	Single   Mode = "single"   // one server that keeps what it acknowledged
	TLS      Mode = "tls"      // the same, with TLS, certificates of both sides
	ACL      Mode = "acl"      // the same, with a user of the least rights
	Sentinel Mode = "sentinel" // a master, two replicas, three sentinels
	Cluster3 Mode = "cluster"  // three masters with a replica each
)

// Modes are all modes.
var Modes = []Mode{Single, TLS, ACL, Sentinel, Cluster3}

// Kinds are those that a mode has.
func (m Mode) Kinds() (list []Kind) {
	for _, k := range Kinds {
		ok := true
		switch k {
		case RedisKill, RedisPause, RedisEmpty, RedisOlder: // where there are replicas one takes over
			ok = !m.failsOver()
		case MasterKill, MasterPause, MasterLost, Failover:
			ok = m.failsOver()
		case SentinelKill:
			ok = m == Sentinel
		case Reshard:
			ok = m == Cluster3
		case CutCommands, DelayCommands, StallCommands: // the edges go straight to whatever server they are told
			ok = !m.failsOver()
		case CutPubSub, DelayPubSub, StallPubSub: // nor does the proxy see through TLS
			ok = m == Single || m == ACL
		}
		if ok {
			list = append(list, k)
		}
	}
	return list
}

func (m Mode) failsOver() bool { return m == Sentinel || m == Cluster3 }

// startRedis starts what a mode names.
func startRedis(m Mode, s Setup) (*servers.Redis, error) {
	o := servers.Options{Dir: s.Dir}
	switch m {
	case Sentinel, Cluster3:
	default:
		o.Settings = []string{"--appendonly", "yes", "--appendfsync", "always"}
	}
	if s.MinReplicas {
		o.Settings = append(o.Settings, "--min-replicas-to-write", "1", "--min-replicas-max-lag", "1")
	}
	switch m {
	case TLS:
		o.TLS, o.Mutual = true, true
		return servers.Single(o)
	case ACL:
		rights, err := rightsOf(s.Binary)
		if err != nil {
			return nil, err
		}
		o.Rights = rights
		return servers.Single(o)
	case Sentinel:
		o.Replicas = 2
		return servers.Sentinel(o)
	case Cluster3:
		o.Replicas = 1
		return servers.Cluster(o)
	}
	return servers.Single(o)
}

// rightsOf asks the edge's binary what it needs.
func rightsOf(binary string) (string, error) {
	command := exec.Command(binary, "acl")
	command.Env = append(os.Environ(), "HELIX_REDIS_URL=redis://127.0.0.1")
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("ask the edge for the rights that it needs: %w", err)
	}
	_, rights, ok := strings.Cut(strings.TrimSpace(string(out)), ">PASSWORD ")
	if !ok {
		return "", fmt.Errorf("the edge says of its rights: %s", out)
	}
	return rights, nil
}

// environ are an edge's settings for Redis. Where there is one server it is reached through a proxy.
func (c *Cluster) environ(through *proxy.Proxy) []string {
	r := c.Redis
	url := r.URL
	if through != nil {
		url = strings.Replace(url, r.Servers[0].Addr, through.Addr(), 1)
	}
	list := []string{"HELIX_REDIS_URL=" + url}
	if r.Password != "" {
		list = append(list, "HELIX_REDIS_USERNAME="+r.Username, "HELIX_REDIS_PASSWORD="+r.Password)
	}
	if t := r.Certificates; t != nil {
		list = append(list, "HELIX_REDIS_TLS_CA_FILE="+t.CAFile, "HELIX_REDIS_TLS_CERT_FILE="+t.ClientCert, "HELIX_REDIS_TLS_KEY_FILE="+t.ClientKey)
	}
	return list
}

// failoverWithin is how long a failover may take, and the coming back of who was replaced.
const failoverWithin = 30 * time.Second

// failOver has a replica take a master's place, in the way of the fault, and puts everything together again.
func (c *Cluster) failOver(f Fault) error {
	ctx, cancel := context.WithTimeout(context.Background(), failoverWithin)
	defer cancel()
	master, err := c.masterOf(ctx, f)
	if err != nil {
		return err
	}
	replicas := c.Redis.Replicas(ctx, master)
	if len(replicas) == 0 {
		return fmt.Errorf("%s has no replica", master.Name)
	}
	switch f.Kind {
	case MasterKill:
		master.Kill()
	case MasterPause:
		master.Pause()
	case MasterLost: // what it acknowledges meanwhile no replica has
		err := c.behind(ctx, master, replicas, f.For)
		if err != nil {
			return err
		}
	case Failover:
		if err := c.planned(ctx, master, replicas[0]); err != nil {
			return err
		}
	}
	err = c.Redis.AwaitFailover(ctx, master, replicas)
	// A master that is back before everybody knows of the other takes changes that will be lost, even where it
	// has to have a replica for that, for one may still follow it: no promise holds for them.
	if err == nil && f.Kind != Failover {
		if err = c.Redis.AwaitAgreement(ctx, master); err == nil {
			time.Sleep(c.told)
		}
	}
	switch f.Kind {
	case MasterPause:
		master.Resume()
	case MasterKill, MasterLost:
		err = errors.Join(err, master.Run())
	}
	return errors.Join(err, c.Redis.Settle(ctx))
}

// behind kills a master at a moment at which it has taken changes for some time that its replicas have not. A
// replica that is only paused finds them in its socket: so they are cut off too.
func (c *Cluster) behind(ctx context.Context, master *servers.Server, replicas []*servers.Server, by time.Duration) error {
	for _, s := range replicas {
		s.Pause()
		defer s.Resume()
	}
	defer master.Kill()
	if err := master.Admin().Do(ctx, "CLIENT", "KILL", "TYPE", "replica").Err(); err != nil {
		return fmt.Errorf("cut off the replicas: %w", err)
	}
	time.Sleep(by) // that is how much is lost
	return nil
}

// masterOf gives the master of the fault's flow.
func (c *Cluster) masterOf(ctx context.Context, f Fault) (*servers.Server, error) {
	if c.mode == Sentinel {
		return c.Redis.Master(ctx)
	}
	slot, err := c.slot(ctx, f.Flow)
	if err != nil {
		return nil, err
	}
	return c.Redis.Owner(ctx, slot)
}

// slot is that of a flow's keys.
func (c *Cluster) slot(ctx context.Context, flow int) (int, error) {
	for _, s := range c.Redis.Masters(ctx) {
		keys, err := s.Admin().Keys(ctx, "helix:{*}:flow:"+c.flows[flow]+":head").Result()
		if err == nil && len(keys) > 0 {
			return servers.Slot(ctx, s, keys[0])
		}
	}
	return 0, fmt.Errorf("no master has flow %s", c.flows[flow])
}

// planned is a failover that an operator asks for. A Cluster's master stops taking changes by itself while
// its replica catches up; with Sentinel the operator has it do so, or it would take some that are lost.
func (c *Cluster) planned(ctx context.Context, master, replica *servers.Server) error {
	var err error
	if c.mode == Sentinel {
		pause := servers.DownAfter + 8*time.Second
		if err = master.Admin().Do(ctx, "CLIENT", "PAUSE", pause.Milliseconds(), "WRITE").Err(); err == nil {
			err = c.Redis.Sentinels[0].Admin().Do(ctx, "SENTINEL", "FAILOVER", servers.MasterName).Err()
		}
	} else {
		err = replica.Admin().Do(ctx, "CLUSTER", "FAILOVER").Err()
	}
	if err != nil {
		return fmt.Errorf("ask for a failover: %w", err)
	}
	return nil
}

// reshard moves the slots of all flows to other masters, one after the other, with their keys.
func (c *Cluster) reshard(ctx context.Context) error {
	for flow := range c.flows {
		slot, err := c.slot(ctx, flow)
		if err != nil {
			return err
		}
		from, err := c.Redis.Owner(ctx, slot)
		if err != nil {
			return err
		}
		masters := c.Redis.Masters(ctx)
		for i, s := range masters {
			if s == from {
				if err := c.Redis.Move(ctx, slot, masters[(i+1)%len(masters)], nil); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// The directories of Redis's data, and of a copy of it.
const (
	appendOnly = "appendonlydir"
	older      = "older"
)

func (c *Cluster) file(name string) string { return filepath.Join(c.Redis.Servers[0].Dir(), name) }
