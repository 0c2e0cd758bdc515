// Package fanout brings what Redis publishes of a flow to the flow's members on this edge: in order,
// encoded once for all who share an encoding, without ever waiting for one of them.
//
// Who owns what: the Hub owns the map of flows. A Flow is a supervised service from its first join to
// its last leave; its goroutine owns the subscription and the timers. Everything else happens under
// the flow's lock, on the goroutine that brings it: a member's reader (join, change, leave), the
// listener's reader (messages), or a store worker (answers). None of them waits for the network there.
package fanout

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"helix/shared/flows"
	"helix/shared/session"
	"helix/shared/telemetry"
)

// Service is one long-lived part of an edge, as the supervisor runs it.
type Service interface {
	Serve(ctx context.Context) error
}

// Options of a Hub.
type Options struct {
	Store *session.Store
	// Supervise starts a flow's service under the sessions' supervisor.
	Supervise func(name string, s Service)
	// Hold starts the duties of a lease that this edge was given; release ends them.
	Hold func(lease *session.Lease, flow Folder) (release func())
	// Flush has written what members were told: it is called when nothing more is told for now.
	Flush   func()
	Metrics *telemetry.Metrics
	Traces  *telemetry.Traces // nil: changes are not followed
	Events  *telemetry.Bus
	Log     *slog.Logger
	// NoticeWindow is how long joins and leaves gather before the newest count is told again; the
	// first is told at once.
	NoticeWindow time.Duration
	// MaxDocument bounds a flow's document in bytes; 0: no bound.
	MaxDocument int
	// LogChanges and LogAge bound what the log keeps of what the snapshot holds already.
	LogChanges int
	LogAge     time.Duration
	// VersionBounds say how often versions of a document are made, and how many are kept.
	VersionBounds session.VersionBounds
	// MaxUnanswered bounds the bytes of a flow's changes on this edge that Redis has not answered;
	// past it the senders wait.
	MaxUnanswered int
}

// Defaults of a Hub's options.
const (
	DefaultNoticeWindow  = 100 * time.Millisecond
	DefaultMaxUnanswered = 8 << 20
)

// Hub is the session manager of an edge: it implements flows.Sessions.
type Hub struct {
	Options
	node    string
	parting chan struct{} // a place for each flow that keeps a version without a session
	shards  [64]shard
}

type shard struct {
	mu    sync.Mutex
	flows map[flows.ID]*Flow
}

var _ flows.Sessions = (*Hub)(nil)

// NewHub makes a hub without flows.
func NewHub(o Options) *Hub {
	if o.NoticeWindow == 0 {
		o.NoticeWindow = DefaultNoticeWindow
	}
	if o.MaxUnanswered == 0 {
		o.MaxUnanswered = DefaultMaxUnanswered
	}
	if o.Flush == nil {
		o.Flush = func() {}
	}
	h := &Hub{Options: o, node: o.Store.Node(), parting: make(chan struct{}, mostParts)}
	for i := range h.shards {
		h.shards[i].flows = map[flows.ID]*Flow{}
	}
	return h
}

func (h *Hub) shard(id flows.ID) *shard {
	n := uint32(2166136261)
	for i := range len(id) {
		n = (n ^ uint32(id[i])) * 16777619
	}
	return &h.shards[n%uint32(len(h.shards))]
}

// Join implements flows.Sessions.
func (h *Hub) Join(id flows.ID, opts flows.JoinOptions, m flows.Member) flows.Membership {
	mem := &member{Member: m, clientID: opts.ClientID, noEcho: opts.NoEcho, follows: opts.Follows(), hears: opts.Hears(), resume: opts.Resume, presence: string(opts.Presence), unsigned: true}
	if opts.UserID != "" || opts.UserName != "" {
		mem.user = &flows.Author{UserID: opts.UserID, Name: opts.UserName}
	}
	for {
		if f := h.open(id); f.join(mem) {
			return mem
		}
	}
}

// open gives the flow, started if it is not there.
func (h *Hub) open(id flows.ID) *Flow {
	s := h.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flows[id]
	if f == nil {
		f = newFlow(h, id)
		s.flows[id] = f
		h.Metrics.Flows.Inc()
		h.Supervise("flow "+string(id), f)
	}
	return f
}

// retire takes a flow out if it is done; from then on its joins are turned away, to a new Flow.
func (h *Hub) retire(f *Flow) bool {
	s := h.shard(f.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !f.retire() {
		return false
	}
	delete(s.flows, f.id)
	h.Metrics.Flows.Dec()
	return true
}

// Empty says whether no flow has anything left to do on this edge.
func (h *Hub) Empty() bool {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		n := len(s.flows)
		s.mu.Unlock()
		if n > 0 {
			return false
		}
	}
	return true
}

// AwaitEmpty waits until no flow has anything left to do on this edge; false: ctx ended before.
func (h *Hub) AwaitEmpty(ctx context.Context) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !h.Empty() {
		select {
		case <-ctx.Done():
			return h.Empty()
		case <-tick.C:
		}
	}
	return true
}

// Status implements flows.Sessions.
func (h *Hub) Status(ctx context.Context, id flows.ID) (flows.Status, error) {
	status, err := h.Store.Flow(id).Status(ctx)
	return status, unavailable(err)
}

// Active implements flows.Sessions.
func (h *Hub) Active(ctx context.Context) ([]flows.Status, error) {
	list, err := h.Store.Active(ctx)
	return list, unavailable(err)
}

// Close implements flows.Sessions.
func (h *Hub) Close(ctx context.Context, id flows.ID) (affected int, err error) {
	affected, err = h.Store.Flow(id).Close(ctx)
	return affected, unavailable(err)
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return flows.ErrUnavailable.Because(err)
}
