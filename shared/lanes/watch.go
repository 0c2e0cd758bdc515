package lanes

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// watch knows where a channel's server is now. A subscriber connection may stay open to a server that is
// the master no more, be it paused or cut off, and would hear nothing.
type watch struct {
	cluster *redis.ClusterClient // nil unless in Cluster mode

	mu       sync.Mutex
	master   string // of Sentinel: where the newest connection went
	reloaded time.Time
}

// watch0 is that of one server, which is where it is.
var watch0 watch

func watchCluster(c *redis.ClusterClient) *watch { return &watch{cluster: c} }

// watchMaster notes where each connection to the master goes: with Sentinel the client asks anew for each.
func watchMaster(c *redis.Client) *watch {
	w := &watch{}
	c.AddHook(dialHook(func(ctx context.Context, conn net.Conn) {
		addr := conn.RemoteAddr().String()
		if own, ok := ctx.Value(ownAddr{}).(*atomic.Value); ok {
			own.Store(addr)
		}
		w.mu.Lock()
		w.master = addr
		w.mu.Unlock()
	}))
	return w
}

// ownAddr is the context key under which a subscriber connection learns where it went, as a string; it may
// be told again while it is read, for go-redis makes a broken one anew.
type ownAddr struct{}

// of says where a channel's server is now; "" where that is not known, or there is only one.
func (w *watch) of(ctx context.Context, channel string) string {
	if w.cluster == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.master
	}
	node, err := w.cluster.MasterForKey(ctx, channel)
	if err != nil {
		return ""
	}
	return node.Options().Addr
}

// reloadEvery bounds how often the map of the slots is asked for when servers do not answer.
const reloadEvery = 100 * time.Millisecond

// doubt says that a server did not answer, or answered that it cannot: the map of a Cluster's slots may be
// old. It is asked for anew, in the background.
func (w *watch) doubt() {
	if w.cluster == nil {
		return
	}
	w.mu.Lock()
	due := time.Since(w.reloaded) >= reloadEvery
	if due {
		w.reloaded = time.Now()
	}
	w.mu.Unlock()
	if due {
		w.cluster.ReloadState(context.Background())
	}
}

// dialHook is told of every connection that a client makes.
type dialHook func(ctx context.Context, conn net.Conn)

// DialHook implements redis.Hook.
func (h dialHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err == nil {
			h(ctx, conn)
		}
		return conn, err
	}
}

// ProcessHook implements redis.Hook.
func (h dialHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (h dialHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
