package supervisor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"helix/edge/internal/supervisor"
)

func TestTenRestartsInAMinute_areBorne_theEleventhFailureEndsTheTree(t *testing.T) {
	t.Parallel()
	bad := newFailing()
	x := start(t, func(x *tree) { x.Child("sessions").Add("flow bad", bad) })
	for range 10 {
		bad.awaitStart(t)
		x.clock.forward(5900 * time.Millisecond) // ten within 59 s
		bad.fail <- "broken"
	}
	bad.awaitStart(t)
	x.clock.forward(900 * time.Millisecond) // the first was 54 s ago
	x.mustLive(t)
	bad.fail <- "broken for good"
	err := x.end(t)
	if !errors.Is(err, supervisor.ErrTooManyRestarts) || !strings.Contains(err.Error(), "broken for good") || !strings.Contains(err.Error(), "flow bad") {
		t.Fatal(err)
	}
	if len(bad.started) != 0 {
		t.Fatal("started again after the failure that was one too many")
	}
	if got := testutil.ToFloat64(x.metrics.Restarts.WithLabelValues("flow")); got != 10 {
		t.Fatalf("%v restarts counted", got)
	}
	if log := x.log.String(); !strings.Contains(log, "failed once too often") {
		t.Fatalf("the log does not tell why the edge ends:\n%s", log)
	}
}

func TestRestartsSpreadOverMoreThanAMinute_areBorne(t *testing.T) {
	t.Parallel()
	bad := newFailing()
	x := start(t, func(x *tree) { x.Add("flow bad", bad) })
	for range 50 {
		bad.awaitStart(t)
		x.clock.forward(6 * time.Second) // ten within any 60 s
		bad.fail <- "broken"
	}
	bad.awaitStart(t)
	x.mustLive(t)
}

// Counted by the minutes of a clock, six before and six after its turn would each be few enough.
func TestRestartWindow_slides(t *testing.T) {
	t.Parallel()
	bad := newFailing()
	x := start(t, func(x *tree) { x.Add("flow bad", bad) })
	failAt := func(seconds ...time.Duration) {
		for _, s := range seconds {
			bad.awaitStart(t)
			x.clock.forward(time.Unix(0, 0).Add(s * time.Second).Sub(x.clock.now()))
			bad.fail <- "broken"
		}
	}
	failAt(0, 50, 51, 52, 53, 54, 61, 62, 63, 64, 65)
	bad.awaitStart(t) // the first is over a minute ago: the eleventh is borne
	x.mustLive(t)
	bad.fail <- "broken" // the eleventh since second 50
	if err := x.end(t); !errors.Is(err, supervisor.ErrTooManyRestarts) {
		t.Fatal(err)
	}
}

func TestChildSupervisor_hasABudgetOfItsOwn(t *testing.T) {
	t.Parallel()
	a, b := newFailing(), newFailing()
	x := start(t, func(x *tree) { x.Add("http", a); x.Child("sessions").Add("flow b", b) })
	for range 10 {
		for _, f := range []*failing{a, b} {
			f.awaitStart(t)
			f.fail <- "broken"
		}
	}
	a.awaitStart(t)
	b.awaitStart(t)
	x.mustLive(t)
	b.fail <- "broken"
	if err := x.end(t); !errors.Is(err, supervisor.ErrTooManyRestarts) {
		t.Fatal(err)
	}
}

func TestFailuresOfManyServices_countTogether(t *testing.T) {
	t.Parallel()
	var all []*failing
	x := start(t, func(x *tree) {
		c := x.Child("sessions")
		for range 11 {
			f := newFailing()
			all = append(all, f)
			c.Add("flow f", f)
		}
	})
	for _, f := range all {
		f.awaitStart(t)
	}
	for _, f := range all[:10] {
		f.fail <- "panic"
		f.awaitStart(t)
	}
	x.mustLive(t)
	all[10].fail <- "panic"
	if err := x.end(t); !errors.Is(err, supervisor.ErrTooManyRestarts) {
		t.Fatal(err)
	}
}

func TestEndsOnPurpose_areNoFailures(t *testing.T) {
	t.Parallel()
	x := start(t, func(*tree) {})
	for range 50 {
		f := newFailing()
		x.Add("lease f", f)
		f.awaitStart(t)
		f.fail <- "done"
	}
	x.mustLive(t)
	if n := testutil.ToFloat64(x.metrics.Restarts.WithLabelValues("lease")); n != 0 {
		t.Fatalf("%v were counted as failed", n)
	}
}
