package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"helix/edge/internal/supervisor"
)

func TestAdd_afterTheTreeHasEnded_startsNothingAndReturns(t *testing.T) {
	t.Parallel()
	var sessions *supervisor.Supervisor
	x := start(t, func(x *tree) { sessions = x.Child("sessions") })
	x.mustLive(t)
	x.stop()
	x.end(t)
	late := newFailing()
	x.Add("http", late)
	sessions.Add("flow f", late)
	if len(late.started) != 0 {
		t.Fatal("started")
	}
}

func TestRun_waitsForEveryServiceToEnd(t *testing.T) {
	t.Parallel()
	var ended atomic.Int64
	var all []*failing
	x := start(t, func(x *tree) {
		for i, by := range []*supervisor.Supervisor{x.Supervisor, x.Child("sessions"), x.Child("a").Child("b")} {
			f := newFailing()
			f.ended = &ended
			by.Add(fmt.Sprintf("flow %d", i), f)
			all = append(all, f)
		}
	})
	for _, f := range all {
		f.awaitStart(t)
	}
	x.stop()
	x.end(t)
	if n := ended.Load(); n != 3 {
		t.Fatalf("%d of 3 services have ended", n)
	}
}

func TestPanicWhileTheTreeEnds_isLogged_andChangesNothingElse(t *testing.T) {
	t.Parallel()
	f := newFailing()
	f.atEnd = func() { panic("injected late") }
	x := start(t, func(x *tree) { x.Add("flow f", f) })
	f.awaitStart(t)
	x.stop()
	if err := x.end(t); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if log := x.log.String(); !strings.Contains(log, "injected late") || strings.Contains(log, "started again") {
		t.Fatal(log)
	}
	if n := testutil.ToFloat64(x.metrics.Restarts.WithLabelValues("flow")); n != 0 {
		t.Fatal("counted as a restart")
	}
}

// stubborn ends only when the test says so.
type stubborn struct{ started, let chan struct{} }

func (s stubborn) Serve(context.Context) error { close(s.started); <-s.let; return nil }

func TestServiceThatDoesNotEnd_isLeftBehindAfterItsTime_andReported(t *testing.T) {
	t.Parallel()
	for depth, under := range map[string]func(*tree) *supervisor.Supervisor{
		"the root":     func(x *tree) *supervisor.Supervisor { return x.Supervisor },
		"a child":      func(x *tree) *supervisor.Supervisor { return x.Child("sessions") },
		"a grandchild": func(x *tree) *supervisor.Supervisor { return x.Child("sessions").Child("leases") },
	} {
		t.Run(depth, func(t *testing.T) {
			t.Parallel()
			s := stubborn{make(chan struct{}), make(chan struct{})}
			defer close(s.let)
			x := start(t, func(x *tree) { under(x).Add("flow s", s) })
			within(t, "the service is not started", s.started)
			stopped := time.Now()
			x.stop()
			x.end(t)
			if took := time.Since(stopped); took < shutdownTimeout {
				t.Errorf("left behind after %v, before its %v", took, shutdownTimeout)
			}
			if log := x.log.String(); strings.Count(log, "did not end in time") != 1 || !strings.Contains(log, `service="flow s"`) {
				t.Errorf("not reported once:\n%s", log)
			}
		})
	}
}

func TestServiceThatTakesItsTimeToEnd_isWaitedFor_andNotReported(t *testing.T) {
	t.Parallel()
	var ended atomic.Int64
	f := newFailing()
	f.atEnd = func() { <-time.After(shutdownTimeout / 2) }
	f.ended = &ended
	x := start(t, func(x *tree) { x.Add("http", f) })
	f.awaitStart(t)
	x.stop()
	x.end(t)
	if log := x.log.String(); ended.Load() != 1 || log != "" {
		t.Fatalf("ended: %d, log: %s", ended.Load(), log)
	}
}
