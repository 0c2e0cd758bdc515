package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"helix/bench/internal/process"
	"helix/bench/internal/proxy"
	"helix/shared/redistest/servers"
)

// Cluster is a Redis and edges, with proxies between them, and between the edges and their clients.
type Cluster struct {
	Redis *servers.Redis
	Edges []*Edge

	mode  Mode
	told  time.Duration // after which all edges know of another master
	flows []string
	logs  []*os.File
}

// Edge is one edge with what stands around it.
type Edge struct {
	*process.Process
	ToRedis *proxy.Proxy // nil where the edges go straight to Redis
	Clients *proxy.Proxy

	outage sync.Mutex // held while the edge does not serve: a stop may take longer than planned
}

// Setup says what a cluster is made of.
type Setup struct {
	Binary string // of the edge
	Edges  int
	Dir    string   // for Redis's data and everybody's words
	Env    []string // settings of the edges
	Flows  []string // ids of the flows that it is used for
	Redis  Mode
	// MinReplicas: masters take nothing while no replica keeps up (min-replicas-to-write 1).
	MinReplicas bool
	Timeout     time.Duration // of the edges' round trips to Redis
}

// Start starts a cluster. It must be stopped also after an error.
func Start(s Setup) (c *Cluster, err error) {
	c = &Cluster{flows: s.Flows, mode: s.Redis, told: s.Timeout + 1500*time.Millisecond}
	if c.Redis, err = startRedis(s.Redis, s); err != nil {
		return c, err
	}
	for i := range s.Edges {
		e := &Edge{}
		c.Edges = append(c.Edges, e)
		if !s.Redis.failsOver() {
			if e.ToRedis, err = proxy.New(c.Redis.Servers[0].Addr); err != nil {
				return c, err
			}
		}
		id := fmt.Sprintf("edge-%d", i)
		log, err := process.Log(s.Dir, id)
		if err != nil {
			return c, err
		}
		c.logs = append(c.logs, log)
		if e.Process, err = process.EdgeAt(s.Binary, id, "", log, append(c.environ(e.ToRedis), s.Env...)...); err != nil {
			return c, err
		}
		if e.Clients, err = proxy.New(e.Addr); err != nil {
			return c, err
		}
	}
	return c, nil
}

// Stop ends everything and waits for it.
func (c *Cluster) Stop() {
	var all sync.WaitGroup
	for _, e := range c.Edges {
		all.Go(func() {
			if e.Clients != nil {
				e.Clients.Close()
			}
			if e.Process != nil {
				e.Stop()
			}
			if e.ToRedis != nil {
				e.ToRedis.Close()
			}
		})
	}
	all.Wait()
	if c.Redis != nil {
		c.Redis.Stop()
	}
	for _, f := range c.logs {
		_ = f.Close()
	}
}

// Ready waits until all processes serve. One that has ended by itself is an error.
func (c *Cluster) Ready() error {
	var failed error
	for _, e := range c.Edges {
		if err := e.AwaitReady(); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// carry does a fault and undoes it when its time is over or hurry is closed.
func (c *Cluster) carry(f Fault, hurry <-chan struct{}) error {
	last := func() {
		timer := time.NewTimer(f.For)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-hurry:
		}
	}
	e := c.Edges[f.Edge]
	if f.Kind.outage() {
		e.outage.Lock()
		defer e.outage.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.Background(), failoverWithin)
	defer cancel()
	switch f.Kind {
	case EdgeKill:
		e.Kill()
		last()
		return e.Restart()
	case EdgeStop:
		byItself := e.Stop()
		last()
		if err := e.Restart(); err != nil || byItself {
			return err
		}
		return fmt.Errorf("%s did not end by itself within 15 s of SIGTERM", e.Name)
	case EdgePause:
		e.Pause()
		last()
		e.Continue()
	case RedisKill:
		c.only().Kill()
		last()
		return c.only().Run()
	case RedisPause:
		c.only().Pause()
		last()
		c.only().Resume()
	case MasterKill, MasterPause, MasterLost, Failover:
		return c.failOver(f)
	case SentinelKill:
		s := c.Redis.Sentinels[f.Edge%len(c.Redis.Sentinels)]
		s.Kill()
		last()
		return s.Run()
	case Reshard:
		return c.reshard(ctx)
	case Flush:
		return c.Redis.Do(ctx, "FLUSHALL")
	case RedisEmpty:
		c.only().Kill()
		if err := os.RemoveAll(c.file(appendOnly)); err != nil {
			return err
		}
		return c.only().Run()
	case RedisOlder:
		if err := os.CopyFS(c.file(older), os.DirFS(c.file(appendOnly))); err != nil {
			return err
		}
		last()
		c.only().Kill()
		if err := errors.Join(os.RemoveAll(c.file(appendOnly)), os.Rename(c.file(older), c.file(appendOnly))); err != nil {
			return err
		}
		return c.only().Run()
	case KillPubSub: // where Redis is away just now there is nothing to break
		_ = c.Redis.Do(ctx, "CLIENT", "KILL", "TYPE", "pubsub")
	case KillNormal:
		_ = c.Redis.Do(ctx, "CLIENT", "KILL", "TYPE", "normal")
	case CloseSession:
		e.CloseSession(c.flows[f.Flow]) // an edge that is away, or cut off from Redis, has nothing to close
	case CutPubSub:
		e.ToRedis.Cut(proxy.PubSub, f.Count)
	case CutCommands:
		e.ToRedis.Cut(proxy.Commands, f.Count)
	case CutClients:
		e.Clients.Cut(proxy.Any, f.Count)
	case DelayPubSub:
		c.delay(e.ToRedis, proxy.PubSub, f.Late, last)
	case DelayCommands:
		c.delay(e.ToRedis, proxy.Commands, f.Late, last)
	case DelayClients:
		c.delay(e.Clients, proxy.Any, f.Late, last)
	case StallPubSub:
		c.stall(e.ToRedis, proxy.PubSub, last)
	case StallCommands:
		c.stall(e.ToRedis, proxy.Commands, last)
	}
	return nil
}

// only is the Redis where there is one.
func (c *Cluster) only() *servers.Server { return c.Redis.Servers[0] }

func (c *Cluster) delay(p *proxy.Proxy, kind proxy.Kind, late time.Duration, last func()) {
	p.Delay(kind, late)
	last()
	p.Delay(kind, 0)
}

func (c *Cluster) stall(p *proxy.Proxy, kind proxy.Kind, last func()) {
	p.Stall(kind, true)
	last()
	p.Stall(kind, false)
}
