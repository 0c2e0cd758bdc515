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

// counted waits until so many failures have been seen: suture tells of one after the restart.
func (x *tree) counted(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); testutil.ToFloat64(x.metrics.Restarts.WithLabelValues("flow")) < float64(n); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("failure %d was not counted", n)
		}
	}
}

func within(t *testing.T, what string, c <-chan error) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal(what)
		return nil
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

func TestTenRestartsInAMinute_areBorne_theEleventhEndsTheTree(t *testing.T) {
	t.Parallel()
	bad := newFailing()
	x := start(t, func(x *tree) { x.Child("sessions").Add("flow bad", bad) })
	for i := range 10 {
		<-bad.started
		x.clock.forward(5900 * time.Millisecond) // ten within 59 s
		bad.fail <- "broken"
		x.counted(t, i+1)
	}
	<-bad.started
	x.clock.forward(900 * time.Millisecond) // the first was 54 s ago
	select {
	case err := <-x.ended:
		t.Fatalf("ended after ten: %v", err)
	default:
	}
	bad.fail <- "broken for good"
	err := within(t, "the tree bears eleven restarts", x.ended)
	if !errors.Is(err, supervisor.ErrTooManyRestarts) || !strings.Contains(err.Error(), "broken for good") {
		t.Fatal(err)
	}
}

func TestRestartsSpreadOverMoreThanAMinute_areBorne(t *testing.T) {
	t.Parallel()
	bad := newFailing()
	x := start(t, func(x *tree) { x.Add("flow bad", bad) })
	for i := range 50 {
		<-bad.started
		x.clock.forward(6 * time.Second) // ten within any 60 s
		bad.fail <- "broken"
		x.counted(t, i+1)
	}
	<-bad.started
	select {
	case err := <-x.ended:
		t.Fatal(err)
	default:
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
	within(t, "the tree waits for ever", x.ended)
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
