// Package supervisor is supervision as OTP means it, on top of suture: one for one, at most so many
// restarts within so long, counted exactly, and past that the whole tree gives up.
//
// suture by itself counts failures with an exponential decay, and past its threshold pauses and goes
// on for ever. Here its threshold is out of reach and a sliding window decides: a service that cannot
// live is a reason to end the process with an error and let its orchestrator look at it, not to hide.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/thejerf/suture/v4"

	"helix/shared/telemetry"
)

// ErrTooManyRestarts ends the tree: services failed more often than Options allow.
var ErrTooManyRestarts = errors.New("too many restarts")

// Service is one long-lived part. Serve runs until ctx ends or its work is done. An error or a panic
// before that counts as a failure, and Serve is called again; nil says that the work is done, and the
// service is forgotten.
type Service interface {
	Serve(ctx context.Context) error
}

// Options of a tree.
type Options struct {
	MaxRestarts     int           // within Window; one more ends the tree. 0 means DefaultOptions.MaxRestarts
	Window          time.Duration // 0 means DefaultOptions.Window
	ShutdownTimeout time.Duration // that a service has to end when told; 0 means DefaultOptions.ShutdownTimeout
	Metrics         *telemetry.Metrics
	Log             *slog.Logger
	Now             func() time.Time // the clock; nil means time.Now
}

// DefaultOptions are the numbers of design.md.
var DefaultOptions = Options{MaxRestarts: 10, Window: time.Minute, ShutdownTimeout: 5 * time.Second}

// Supervisor runs services, and supervisors of services. Add is safe for concurrent use, also before
// Run and while it runs.
type Supervisor struct {
	suture *suture.Supervisor
	root   *root

	mu       sync.Mutex
	restarts []time.Time // within the window, oldest first
}

// root is what all supervisors of a tree share.
type root struct {
	Options

	mu     sync.Mutex
	giveUp context.CancelCauseFunc // set by Run
}

// New makes the root of a tree.
func New(o Options) *Supervisor {
	if o.MaxRestarts == 0 {
		o.MaxRestarts = DefaultOptions.MaxRestarts
	}
	if o.Window == 0 {
		o.Window = DefaultOptions.Window
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = DefaultOptions.ShutdownTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	// The root waits a little longer than its children's supervisors, who wait for theirs.
	return newSupervisor("edge", &root{Options: o}, o.ShutdownTimeout+time.Second)
}

func newSupervisor(name string, r *root, timeout time.Duration) *Supervisor {
	s := &Supervisor{root: r}
	s.suture = suture.New(name, suture.Spec{
		EventHook: s.event, FailureThreshold: math.MaxFloat64, FailureDecay: 1, FailureBackoff: time.Millisecond, Timeout: timeout,
	})
	return s
}

// Child adds a supervisor with a count of restarts of its own. Where it has too many, the whole tree ends.
func (s *Supervisor) Child(name string) *Supervisor {
	c := newSupervisor(name, s.root, s.root.ShutdownTimeout)
	s.suture.Add(c.suture)
	return c
}

// Add starts a service, or has Run start it. The first word of its name says its kind in the metrics.
// After the tree has ended nothing is started.
func (s *Supervisor) Add(name string, service Service) {
	s.suture.Add(named{name, service})
}

// Run runs the tree until ctx ends, and returns its error; or until it gives up, with an error that
// wraps ErrTooManyRestarts. All services have ended when it returns, or have had ShutdownTimeout to.
func (s *Supervisor) Run(ctx context.Context) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	s.root.mu.Lock()
	s.root.giveUp = giveUp
	s.root.mu.Unlock()
	err := s.suture.Serve(ctx)
	if cause := context.Cause(ctx); errors.Is(cause, ErrTooManyRestarts) {
		return cause
	}
	return err
}

// named is a service that suture knows by name. To suture, a service whose work is done says so by an error.
type named struct {
	name    string
	service Service
}

func (n named) String() string { return n.name }

func (n named) Serve(ctx context.Context) error {
	if err := n.service.Serve(ctx); err != nil {
		return err
	}
	return suture.ErrDoNotRestart
}

// event is suture's hook: everything that happens to a service comes by here, before it is restarted.
func (s *Supervisor) event(e suture.Event) {
	switch e := e.(type) {
	case suture.EventServicePanic:
		s.failed(e.ServiceName, fmt.Errorf("panic: %s", e.PanicMsg), "stack", e.Stacktrace)
	case suture.EventServiceTerminate:
		s.failed(e.ServiceName, fmt.Errorf("%v", e.Err))
	case suture.EventStopTimeout:
		s.root.Log.Error("a service did not end in time and was left behind", "service", e.ServiceName, "timeout", s.root.ShutdownTimeout)
	}
}

func (s *Supervisor) failed(service string, err error, more ...any) {
	kind, _, _ := strings.Cut(service, " ")
	s.root.Log.Error("a service failed and is started again", append([]any{"service", service, "error", err}, more...)...)

	s.mu.Lock()
	now := s.root.Now()
	for len(s.restarts) > 0 && now.Sub(s.restarts[0]) >= s.root.Window {
		s.restarts = s.restarts[1:]
	}
	s.restarts = append(s.restarts, now)
	tooMany := len(s.restarts) > s.root.MaxRestarts
	s.mu.Unlock()
	s.root.Metrics.Restarts.WithLabelValues(kind).Inc()
	if tooMany {
		s.root.end(fmt.Errorf("%w: %d within %v, at last of %q: %w", ErrTooManyRestarts, s.root.MaxRestarts, s.root.Window, service, err))
	}
}

// end gives the whole tree up.
func (r *root) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.giveUp != nil {
		r.giveUp(err)
	}
}
