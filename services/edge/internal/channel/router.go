// Package channel puts the boundary of flows on Phoenix topics: flow:<id> and flow_management. It has
// the words of the wire (protocol.md) and the table from refusal to reply; what they mean is behind
// the boundary.
package channel

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"helix/edge/internal/socket"
	"helix/shared/flows"
	"helix/shared/telemetry"
)

// The topics that Helix serves.
const (
	flowPrefix      = "flow:"
	managementTopic = "flow_management"
)

// Options of the channels.
type Options struct {
	Flows *flows.Flows
	Rate  rate.Limit // changes a second and client
	Burst int
	// SignalRate and SignalBurst bound signals and presence updates, a second and client.
	SignalRate  rate.Limit
	SignalBurst int
	Metrics     *telemetry.Metrics
	Traces      *telemetry.Traces // nil: changes are not followed
	Log         *slog.Logger
	// Timeout bounds what a management message waits for.
	Timeout time.Duration
}

// Router serves the topics. Close waits for what it has under way.
type Router struct {
	Options
	ctx  context.Context
	stop context.CancelFunc
	work chan struct{} // bounds the management messages under way
}

// maxManagement bounds how many management messages are under way on an edge at once.
const maxManagement = 64

// NewRouter makes the router of an edge.
func NewRouter(o Options) *Router {
	r := &Router{Options: o, work: make(chan struct{}, maxManagement)}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// Close ends what is under way and waits for it.
func (r *Router) Close() {
	r.stop()
	for range maxManagement {
		r.work <- struct{}{}
	}
}

// Route implements socket.Router.
func (r *Router) Route(topic string, t *socket.Topic) socket.Channel {
	if id, ok := strings.CutPrefix(topic, flowPrefix); ok {
		return &flowChannel{router: r, topic: t, rawID: id}
	}
	if topic == managementTopic {
		return &managementChannel{router: r, topic: t}
	}
	return nil
}
