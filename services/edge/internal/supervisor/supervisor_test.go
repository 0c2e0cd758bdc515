package supervisor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"helix/edge/internal/supervisor"
	"helix/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) forward(d time.Duration) { c.ns.Add(int64(d)) }

type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.Write(p) }
func (l *lines) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.String() }

// failing is a service that fails when told, and tells of each start.
type failing struct {
	started chan int
	fail    chan string
	starts  int
	atEnd   func()        // done when the tree ends, if set
	ended   *atomic.Int64 // counts that, if set
}

func newFailing() *failing { return &failing{started: make(chan int, 100), fail: make(chan string)} }

func (f *failing) Serve(ctx context.Context) error {
	f.starts++
	f.started <- f.starts
	select {
	case how := <-f.fail:
		switch how {
		case "panic":
			panic("injected")
		case "goexit":
			runtime.Goexit()
		case "done":
			return nil
		}
		return errors.New(how)
	case <-ctx.Done():
		if f.atEnd != nil {
			f.atEnd()
		}
		if f.ended != nil {
			f.ended.Add(1)
		}
		return ctx.Err()
	}
}

// shutdownTimeout is short, for the tests that have to wait it out, and long beside what a scheduler
// under load takes from it.
const shutdownTimeout = 300 * time.Millisecond

// tree is a supervisor that runs, with all that it was given.
type tree struct {
	*supervisor.Supervisor
	clock   clock
	log     lines
	metrics *telemetry.Metrics
	ended   chan error
	stop    context.CancelFunc
}

func start(t *testing.T, build func(*tree)) *tree {
	t.Helper()
	x := &tree{metrics: telemetry.NewMetrics(prometheus.NewRegistry()), ended: make(chan error, 1)}
	x.Supervisor = supervisor.New(supervisor.Options{
		Metrics: x.metrics, Log: slog.New(slog.NewTextHandler(&x.log, nil)), Now: x.clock.now, ShutdownTimeout: shutdownTimeout,
	})
	build(x)
	ctx, cancel := context.WithCancel(context.Background())
	x.stop = cancel
	go func() { x.ended <- x.Run(ctx) }()
	t.Cleanup(cancel)
	return x
}

// awaitStart waits for the next start of the service.
func (f *failing) awaitStart(t *testing.T) int {
	t.Helper()
	return within(t, "the service is not started", f.started)
}

// end waits for the end of the tree.
func (x *tree) end(t *testing.T) error {
	t.Helper()
	return within(t, "the tree does not end", x.ended)
}

// mustLive asks the tree for a new service, which only one that goes on will start.
func (x *tree) mustLive(t *testing.T) {
	t.Helper()
	f := newFailing()
	x.Add("probe", f)
	f.awaitStart(t)
	f.fail <- "done"
	select {
	case err := <-x.ended:
		t.Fatalf("the tree ended: %v", err)
	default:
	}
}

func (x *tree) awaitServices(t *testing.T, n int) { t.Helper(); awaitServices(t, x.Supervisor, n) }

// awaitServices waits until s has no more than n: a service's end comes to it after Serve has returned.
func awaitServices(t *testing.T, s *supervisor.Supervisor, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); s.Services() > n; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d services are still there", s.Services())
		}
	}
}

func within[T any](t *testing.T, otherwise string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal(otherwise)
		panic("not reached")
	}
}

func TestPanic_restartsThatServiceAlone(t *testing.T) {
	t.Parallel()
	bad, good := newFailing(), newFailing()
	x := start(t, func(x *tree) { c := x.Child("sessions"); c.Add("flow bad", bad); c.Add("flow good", good) })
	bad.awaitStart(t)
	good.awaitStart(t)
	bad.fail <- "panic"
	if n := bad.awaitStart(t); n != 2 {
		t.Fatalf("start %d", n)
	}
	if len(good.started) != 0 {
		t.Fatal("the other service was restarted")
	}
	x.stop()
	if err := x.end(t); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := testutil.ToFloat64(x.metrics.Restarts.WithLabelValues("flow")); got != 1 {
		t.Fatalf("%v restarts counted", got)
	}
	if log := x.log.String(); !strings.Contains(log, "flow bad") || !strings.Contains(log, "injected") || !strings.Contains(log, "supervisor_test.go") {
		t.Fatalf("neither name, message nor stack in the log:\n%s", log)
	}
}

func TestServiceWhoseWorkIsDone_isNotStartedAgain(t *testing.T) {
	t.Parallel()
	done := newFailing()
	x := start(t, func(x *tree) { x.Add("lease f", done) })
	done.awaitStart(t)
	done.fail <- "done"
	x.awaitServices(t, 0)
	if len(done.started) != 0 {
		t.Fatal("started again")
	}
}

// A failed assertion of a test library, for one, ends the goroutine like this.
func TestServiceThatEndsItsGoroutine_countsAsFailed(t *testing.T) {
	t.Parallel()
	f := newFailing()
	x := start(t, func(x *tree) { x.Add("flow f", f) })
	for range 11 {
		f.awaitStart(t)
		f.fail <- "goexit"
	}
	if err := x.end(t); !errors.Is(err, supervisor.ErrTooManyRestarts) {
		t.Fatal(err)
	}
}

func TestThousandsOfServices_comeAndGo_andLeaveNothing(t *testing.T) {
	t.Parallel()
	var sessions *supervisor.Supervisor
	x := start(t, func(x *tree) { sessions = x.Child("sessions") })
	const n = 5000
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range n / 4 {
				f := newFailing()
				sessions.Add(fmt.Sprintf("flow %d/%d", w, i), f)
				<-f.started
				f.fail <- "done"
			}
		})
	}
	wg.Wait()
	awaitServices(t, sessions, 0)
	x.stop()
	x.end(t)
}
