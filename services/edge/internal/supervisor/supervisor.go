// Package supervisor is supervision as OTP means it, on top of suture: one for one, at most so many
// restarts within so long, counted exactly, and past that the whole tree gives up.
//
// suture by itself counts failures with an exponential decay, and past its threshold pauses and goes
// on for ever; it tells of a failure after the restart, and gives a child supervisor the hook of its
// parent. So here its threshold is out of reach, and failures are caught and counted around each
// service, before suture hears of them. A service that cannot live is a reason to end the process
// with an error and let its orchestrator look at it, not to hide.
package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/thejerf/suture/v4"

	"helix/shared/telemetry"
)

// ErrTooManyRestarts ends the tree: services failed more often than Options allow.
var ErrTooManyRestarts = errors.New("too many restarts")

// Service is one long-lived part. Serve runs until ctx ends or its work is done. An error or a panic
// before that is a failure, and Serve is called again on the same value; nil says that the work is
// done, and the service is forgotten. Once ctx has ended Serve has Options.ShutdownTimeout to return.
type Service interface {
	Serve(ctx context.Context) error
}

// Options of a tree.
type Options struct {
	MaxRestarts     int           // within Window; one failure more ends the tree. 0 means DefaultOptions.MaxRestarts
	Window          time.Duration // 0 means DefaultOptions.Window
	ShutdownTimeout time.Duration // that a service has to end when told; 0 means DefaultOptions.ShutdownTimeout
	Metrics         *telemetry.Metrics
	Log             *slog.Logger
	Now             func() time.Time // the clock that restarts are counted by; nil means time.Now
}

// DefaultOptions are the numbers of design.md.
var DefaultOptions = Options{MaxRestarts: 10, Window: time.Minute, ShutdownTimeout: 5 * time.Second}

// Supervisor runs services, and supervisors of services. Add is safe for concurrent use, before Run
// and while it runs.
type Supervisor struct {
	tree     *suture.Supervisor // services and the children's trees; their ends are bounded already
	services *suture.Supervisor
	budget   budget
	root     *root
}

// root is what all supervisors of a tree share.
type root struct {
	Options
	giveUp context.CancelCauseFunc // set by Run, before the first service starts
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
	return newSupervisor("edge", &root{Options: o})
}

// unbounded is how long a supervisor of supervisors waits for them: each of those bounds its own.
const unbounded = 365 * 24 * time.Hour

func newSupervisor(name string, r *root) *Supervisor {
	spec := suture.Spec{EventHook: r.event, FailureThreshold: math.MaxFloat64, Timeout: unbounded}
	s := &Supervisor{root: r, tree: suture.New(name, spec), budget: budget{max: r.MaxRestarts, window: r.Window}}
	spec.Timeout = r.ShutdownTimeout
	s.services = suture.New(name+" services", spec)
	s.tree.Add(s.services)
	return s
}

// event is suture's hook. What happens to a service is counted and logged by supervised; only that it
// did not end is known to suture alone.
func (r *root) event(e suture.Event) {
	if e, ok := e.(suture.EventStopTimeout); ok {
		r.Log.Error("a service did not end in time and was left behind", "service", e.ServiceName, "timeout", r.ShutdownTimeout)
	}
}

// Child adds a supervisor whose restarts are counted apart from those of s. Where they are too many,
// the whole tree ends.
func (s *Supervisor) Child(name string) *Supervisor {
	c := newSupervisor(name, s.root)
	s.tree.Add(c.tree)
	return c
}

// Add starts a service, or has Run start it. The first word of its name says its kind in the metrics,
// so it must be one of few; what follows tells one from another in the log. After the tree has ended
// nothing is started.
func (s *Supervisor) Add(name string, service Service) {
	kind, _, _ := strings.Cut(name, " ")
	s.root.Metrics.Restarts.WithLabelValues(kind) // from 0: else the first restart would not be seen as a rise
	s.services.Add(&supervised{name: name, service: service, by: s})
}

// Run runs the tree until ctx ends, and returns its error; or until it gives up, with an error that
// wraps ErrTooManyRestarts and the last failure. All services have ended when it returns, or have had
// ShutdownTimeout to. It is called once, on the root.
func (s *Supervisor) Run(ctx context.Context) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	s.root.giveUp = giveUp
	err := s.tree.Serve(ctx)
	if cause := context.Cause(ctx); errors.Is(cause, ErrTooManyRestarts) {
		return cause
	}
	return err
}
