// Package telemetry is what an edge tells of itself: events with the names of the original, Prometheus
// metrics, structured logs, and traces of some changes. It is told; it asks nobody.
package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
)

// The telemetry events. The clients' bear the names of the original, for dashboards that know them.
const (
	EventClientJoined   = "helix.session.client_joined"
	EventClientLeft     = "helix.session.client_left"
	EventSessionStarted = "helix.session.started"
	EventSessionEnded   = "helix.session.ended"
)

// Event is one thing that happened in a session.
type Event struct {
	Name        string
	Node        string // the edge that tells it
	Flow        string
	ClientID    string // empty where the event is of the whole session
	ClientCount int    // of the flow in the whole cluster, as far as the edge knows
}

// Bus is the one hook for events: whoever wants them subscribes with On. The zero Bus works, and so
// does nil, which drops everything. It is safe for concurrent use. Emit takes no lock and allocates
// nothing, because it stands in the way of every join.
type Bus struct {
	adding    sync.Mutex
	listeners atomic.Pointer[[]func(Event)]
}

// On has f called with every event from now on, on the goroutine that emits it: f must be quick.
func (b *Bus) On(f func(Event)) {
	if b == nil {
		return
	}
	b.adding.Lock()
	defer b.adding.Unlock()
	var all []func(Event)
	if old := b.listeners.Load(); old != nil {
		all = append(all, *old...)
	}
	all = append(all, f)
	b.listeners.Store(&all)
}

// Emit tells an event.
func (b *Bus) Emit(e Event) {
	if b == nil {
		return
	}
	if all := b.listeners.Load(); all != nil {
		for _, f := range *all {
			f(e)
		}
	}
}

// CountEvents counts joins and leaves from the events.
func CountEvents(b *Bus, m *Metrics) {
	b.On(func(e Event) {
		switch e.Name {
		case EventClientJoined:
			m.Joins.Inc()
		case EventClientLeft:
			m.Leaves.Inc()
		}
	})
}

// LogEvents logs the events, at debug level: there is one for every client. The node is not repeated,
// since every line of NewLogger bears it.
func LogEvents(b *Bus, log *slog.Logger) {
	b.On(func(e Event) {
		if log.Enabled(context.Background(), slog.LevelDebug) {
			log.Debug(e.Name, "flow", e.Flow, "client_id", e.ClientID, "client_count", e.ClientCount)
		}
	})
}
