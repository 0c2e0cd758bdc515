package fanout_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"helix/edge/internal/fanout"
	"helix/edge/internal/leaseholder"
	"helix/shared/flows"
	"helix/shared/lanes"
	"helix/shared/redistest"
	"helix/shared/session"
	"helix/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is an edge without sockets: a hub, its services, its own connections.
type node struct {
	*fanout.Hub
	t        testing.TB
	lanes    *lanes.Lanes
	flows    *flows.Flows
	restarts atomic.Int64
	reads    atomic.Int64 // of the log or the document
	stop     context.CancelFunc
	running  sync.WaitGroup
	once     sync.Once
}

var quick = session.Options{MaxClients: 1000, LeaseTTL: time.Second, InactivityTimeout: time.Hour, Retention: time.Hour}

func startNode(t testing.TB, url, name string, o session.Options) *node {
	t.Helper()
	n := &node{t: t}
	l, err := lanes.Open(lanes.Options{URL: url, Timeout: 2 * time.Second, Observe: func(script string, _ time.Duration, _ error) {
		if script == "read" {
			n.reads.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	n.lanes = l
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	supervise := func(_ string, s fanout.Service) {
		n.running.Go(func() {
			for s.Serve(ctx) != nil && ctx.Err() == nil {
				n.restarts.Add(1)
			}
		})
	}
	store := session.NewStore(l, name, o)
	metrics := telemetry.NewMetrics(prometheus.NewRegistry())
	n.Hub = fanout.NewHub(fanout.Options{
		Store: store, Supervise: supervise, MaxDocument: 8 << 20, LogChanges: 10_000, LogAge: time.Hour, Metrics: metrics, Log: slog.New(slog.DiscardHandler),
		Hold: func(lease *session.Lease, flow fanout.Folder) func() {
			released := make(chan struct{})
			supervise("", &leaseholder.Holder{Lease: lease, Folder: flow, Options: o, Metrics: metrics, Log: slog.New(slog.DiscardHandler), Released: released})
			return func() { close(released) }
		},
	})
	n.flows = flows.New(n.Hub, flows.DefaultLimits)
	t.Cleanup(n.kill)
	return n
}

// kill ends the node without a word to Redis.
func (n *node) kill() {
	n.once.Do(func() {
		n.stop()
		n.running.Wait()
		_ = n.lanes.Close()
	})
}

// client is a member that writes down what it is told, one line each.
type client struct {
	t          testing.TB
	membership flows.Membership
	encoding   flows.Encoding

	mu    sync.Mutex
	more  sync.Cond
	lines []string
}

// plain encodes events as text lines.
type plain struct{}

func (plain) AppendFrame(dst []byte, e flows.Event) []byte {
	switch e.Kind {
	case flows.EventUpdate:
		return fmt.Appendf(dst, "update %d %s\n", e.Seq, e.Changes)
	case flows.EventClientJoined:
		return fmt.Appendf(dst, "client_joined %d\n", e.ClientCount)
	case flows.EventClientLeft:
		return fmt.Appendf(dst, "client_left %d\n", e.ClientCount)
	case flows.EventDeleted:
		return fmt.Appendf(dst, "deleted\n")
	case flows.EventSync:
		return fmt.Appendf(dst, "sync %d %s\n", e.Seq, e.Changes)
	case flows.EventPresenceState:
		return fmt.Appendf(dst, "state%s\n", presences(e.Joins))
	case flows.EventPresenceDiff:
		return fmt.Appendf(dst, "diff%s /%s\n", presences(e.Joins), presences(e.Leaves))
	case flows.EventSignal:
		return fmt.Appendf(dst, "signal %s %s %s\n", e.ClientID, e.Type, e.Changes)
	}
	panic("no such event")
}

// presences writes each as " client ref meta".
func presences(all []flows.Presence) string {
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintf(&b, " %s %s %s", p.ClientID, p.Ref, p.Meta)
	}
	return b.String()
}

func (n *node) join(id string, opts flows.JoinOptions) *client {
	n.t.Helper()
	return n.joinAs(id, opts, plain{})
}

func (n *node) joinAs(id string, opts flows.JoinOptions, e flows.Encoding) *client {
	n.t.Helper()
	c := &client{t: n.t, encoding: e}
	c.more.L = &c.mu
	m, err := n.flows.Join(id, opts, c)
	if err != nil {
		n.t.Fatalf("join %q: %v", id, err)
	}
	c.membership = m
	return c
}

func (c *client) note(format string, args ...any) {
	c.mu.Lock()
	c.lines = append(c.lines, fmt.Sprintf(format, args...))
	c.mu.Unlock()
	c.more.Broadcast()
}

func (c *client) Encoding() flows.Encoding { return c.encoding }
func (c *client) Joined(j flows.Joined)    { c.note("joined %d at %d", j.ClientCount, j.Seq) }
func (c *client) Refused(err error)        { c.note("refused %s", flows.AsError(err).Code) }
func (c *client) Ended(why flows.End)      { c.note("ended %d", why) }
func (c *client) Deliver(frames []byte) {
	for line := range strings.Lines(string(frames)) {
		c.note("%s", strings.TrimSuffix(line, "\n"))
	}
}

func (c *client) CatchUp(frame []byte) { c.Deliver(frame) }
func (c *client) Offer(frames []byte) bool {
	c.Deliver(frames)
	return true
}

func (c *client) Answered(tag []byte, r flows.Receipt, err error) {
	if err != nil {
		c.note("error %s %s", tag, flows.AsError(err).Code)
		return
	}
	c.note("ok %s %d", tag, r.Seq)
}

func (c *client) change(tag, changes string) {
	c.membership.Change(flows.Change{Changes: []byte(changes), Tag: []byte(tag)})
}

// wait waits for a line that begins so and gives it.
func (c *client) wait(prefix string) string {
	c.t.Helper()
	return c.waitNth(prefix, 1)
}

func (c *client) waitNth(prefix string, nth int) string {
	c.t.Helper()
	found := ""
	c.until(func(lines []string) bool {
		n := 0
		for _, l := range lines {
			if strings.HasPrefix(l, prefix) {
				if n++; n == nth {
					found = l
					return true
				}
			}
		}
		return false
	}, fmt.Sprintf("line %d with %q", nth, prefix))
	return found
}

func (c *client) until(ok func(lines []string) bool, what string) {
	c.t.Helper()
	late := false
	timer := time.AfterFunc(20*time.Second, func() {
		c.mu.Lock()
		late = true
		c.mu.Unlock()
		c.more.Broadcast()
	})
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !ok(c.lines) {
		if late {
			c.t.Fatalf("no %s in:\n%s", what, strings.Join(c.lines[max(0, len(c.lines)-20):], "\n"))
		}
		c.more.Wait()
	}
}

func (c *client) all(prefix string) (found []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lines {
		if strings.HasPrefix(l, prefix) {
			found = append(found, l)
		}
	}
	return found
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to this: %s", what)
		}
	}
}

func startRedis(t testing.TB) *redistest.Server { return redistest.Start(t) }
