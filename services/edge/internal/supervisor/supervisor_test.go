package supervisor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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
}

func newFailing() *failing { return &failing{started: make(chan int, 100), fail: make(chan string)} }

func (f *failing) Serve(ctx context.Context) error {
	f.starts++
	f.started <- f.starts
	select {
	case how := <-f.fail:
		if how == "panic" {
			panic("injected")
		}
		if how == "done" {
			return nil
		}
		return errors.New(how)
	case <-ctx.Done():
		return ctx.Err()
	}
}

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
		Metrics: x.metrics, Log: slog.New(slog.NewTextHandler(&x.log, nil)), Now: x.clock.now, ShutdownTimeout: 50 * time.Millisecond,
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
	<-bad.started
	<-good.started
	bad.fail <- "panic"
	if n := <-bad.started; n != 2 {
		t.Fatalf("start %d", n)
	}
	if len(good.started) != 0 {
		t.Fatal("the other service was restarted")
	}
	x.stop()
	if err := within(t, "the tree does not end", x.ended); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := testutil.ToFloat64(x.metrics.Restarts.WithLabelValues("flow")); got != 1 {
		t.Fatalf("%v restarts counted", got)
	}
	if log := x.log.String(); !strings.Contains(log, "injected") || !strings.Contains(log, "supervisor_test.go") {
		t.Fatalf("neither message nor stack in the log:\n%s", log)
	}
}

func TestServiceWhoseWorkIsDone_isNotStartedAgain(t *testing.T) {
	t.Parallel()
	done := newFailing()
	x := start(t, func(x *tree) { x.Add("lease f", done) })
	<-done.started
	done.fail <- "done"
	next := newFailing()
	x.Add("lease g", next)
	<-next.started
	if len(done.started) != 0 {
		t.Fatal("started again")
	}
}

// stubborn ends only when the test says so.
type stubborn struct{ started, let chan struct{} }

func (s stubborn) Serve(context.Context) error { close(s.started); <-s.let; return nil }

func TestServiceThatDoesNotEnd_isLeftBehindAfterItsTime_andReported(t *testing.T) {
	t.Parallel()
	s := stubborn{make(chan struct{}), make(chan struct{})}
	x := start(t, func(x *tree) { x.Add("http", s) })
	<-s.started
	x.stop()
	_ = within(t, "the tree waits for ever", x.ended)
	if !strings.Contains(x.log.String(), "did not end in time") {
		t.Fatalf("not reported:\n%s", x.log.String())
	}
	close(s.let)
}

func TestThousandsOfServices_comeAndGo(t *testing.T) {
	t.Parallel()
	var sessions *supervisor.Supervisor
	start(t, func(x *tree) { sessions = x.Child("sessions") })
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
}

func BenchmarkAddAndEnd(b *testing.B) {
	s := supervisor.New(supervisor.Options{Metrics: telemetry.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	b.ReportAllocs()
	var wg sync.WaitGroup
	for b.Loop() {
		wg.Add(1)
		s.Add("flow f", once{&wg})
	}
	wg.Wait()
	cancel()
	<-ended
}

type once struct{ wg *sync.WaitGroup }

func (o once) Serve(context.Context) error { o.wg.Done(); return nil }
