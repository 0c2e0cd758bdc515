// Package lanes is Redis as Helix uses it: connect (one server, Sentinel, Cluster, or the embedded
// stand-in), name the keys, run scripts, and listen to channels.
//
// Every key of a flow carries the flow's lane as its hash tag. Scripts therefore stay in one slot and
// run unchanged in each mode; on Cluster the channels are sharded pub/sub, elsewhere plain pub/sub.
package lanes

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The client's own log says on standard error what every call returns as an error anyway.
func init() { logging.Disable() }

// Options say which Redis to use and how.
type Options struct {
	// URL of the Redis; empty starts the embedded stand-in, which keeps nothing. Schemes: redis,
	// rediss, unix; redis-sentinel and rediss-sentinel (host,host/master/db); redis-cluster and
	// rediss-cluster (host,host; one name that leads to any of the nodes is enough).
	URL string
	// Credentials in place of those in the URL, and those of the sentinels, which are others.
	Credentials Credentials
	Sentinel    Credentials
	TLS         TLS
	// Prefix of every key.
	Prefix string
	// Lanes is the number of lanes. It must be the same on all edges, always.
	Lanes int
	// Timeout bounds one round trip, and connecting.
	Timeout time.Duration
	// Observe, where set, is told of every script run: its name, how long it took, and its error.
	Observe func(script string, took time.Duration, err error)
	// Reconnected, where set, is called whenever a subscriber connection was lost and is back.
	Reconnected func()
	Log         *slog.Logger
}

// DefaultOptions are the defaults of design.md.
var DefaultOptions = Options{Prefix: "helix", Lanes: 64, Timeout: 3 * time.Second}

// Lanes is a connected Redis. It is safe for concurrent use.
type Lanes struct {
	prefix   string
	lanes    int
	timeout  time.Duration
	client   redis.UniversalClient
	cluster  *redis.ClusterClient // nil unless in Cluster mode
	embedded *embedded
	watch    *watch
	runner   *runner
	listener *Listener
	pings    sync.WaitGroup // of a Cluster's masters
	closing  sync.Once
	closed   error // of the first Close
}

// Open prepares the connection; Redis need not be reachable yet, and may go and come back. An error
// means that the options are wrong or the stand-in cannot start.
func Open(o Options) (*Lanes, error) {
	if o.Prefix == "" {
		o.Prefix = DefaultOptions.Prefix
	}
	if o.Lanes <= 0 {
		o.Lanes = DefaultOptions.Lanes
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultOptions.Timeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Lanes{prefix: o.Prefix, lanes: o.Lanes, timeout: o.Timeout}
	if o.URL == "" {
		e, err := startEmbedded()
		if err != nil {
			return nil, fmt.Errorf("start the embedded Redis stand-in: %w", err)
		}
		l.embedded = e
		o.URL = e.url
		o.Log.Warn("no Redis URL is set: running on the embedded stand-in; nothing is kept when this process ends, and no other edge can join")
	}
	client, watch, err := connect(o)
	if err != nil {
		l.embedded.stop()
		return nil, err
	}
	l.client, l.cluster, l.watch = client, watch.cluster, watch
	l.runner = newRunner(client, watch, o.Timeout, o.Observe)
	l.listener = newListener(client, watch, o.Timeout, o.Reconnected, o.Log)
	return l, nil
}

// Close ends all connections. Runs that wait get an error; subscriptions end. Closing again does nothing.
func (l *Lanes) Close() error {
	l.closing.Do(func() {
		l.listener.close()
		l.runner.close()
		if err := l.client.Close(); err != nil {
			l.closed = fmt.Errorf("close the Redis connections: %w", err)
		}
		l.pings.Wait()
		l.embedded.stop()
	})
	return l.closed
}

// Ping asks Redis for a sign of life. Of a Cluster one master's is enough: while one is away the flows of
// the others go on, and an edge that cannot reach it is as good as any other edge.
func (l *Lanes) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	err := l.ping(ctx)
	if err != nil {
		return fmt.Errorf("ping Redis: %w", err)
	}
	return nil
}

func (l *Lanes) ping(ctx context.Context) error {
	if l.cluster == nil {
		return ping(ctx, l.client)
	}
	// Not ForEachMaster: it asks for the slots anew before, maybe one that is silent.
	masters := map[string]*redis.Client{}
	for _, key := range l.IndexKeys() {
		master, err := l.cluster.MasterForKey(ctx, key)
		if err != nil {
			return err
		}
		masters[master.Options().Addr] = master
	}
	within, found := context.WithCancel(ctx)
	defer found()
	answers := make(chan error, len(masters))
	for _, master := range masters {
		l.pings.Go(func() { answers <- ping(within, master) }) // for a round trip's time at most; Close waits
	}
	var failed error
	for range masters {
		err := <-answers
		if err == nil {
			return nil
		}
		failed = err
	}
	l.watch.doubt()
	return failed
}

// ping goes the way of the scripts: pipelines have connections of their own.
func ping(ctx context.Context, client redis.Cmdable) error {
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error { return p.Ping(ctx).Err() })
	return err
}

// Members gives the members of each sorted set, in one round trip: the sessions of lanes.
func (l *Lanes) Members(ctx context.Context, keys []string) ([][]string, error) {
	cmds := make([]*redis.StringSliceCmd, len(keys))
	_, err := l.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			cmds[i] = p.ZRange(ctx, key, 0, -1)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the index of sessions: %w", err)
	}
	all := make([][]string, len(keys))
	for i, cmd := range cmds {
		all[i] = cmd.Val()
	}
	return all, nil
}

// Embedded says whether this is the stand-in.
func (l *Lanes) Embedded() bool { return l.embedded != nil }

// PublishCommand is the command by which scripts publish in this mode.
func (l *Lanes) PublishCommand() string {
	if l.cluster != nil {
		return "SPUBLISH"
	}
	return "PUBLISH"
}

// Client gives the connection itself, for what no script does.
func (l *Lanes) Client() redis.UniversalClient { return l.client }

// Maintenance notifications are a feature of one vendor; asking for them costs each connection a
// round trip that every other server answers with an error.
func noMaintenance() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}
