package actors

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"helix/bench/internal/judge"
)

// event is one line of a trace.
type event struct {
	at   time.Duration
	who  string
	what string
	mark judge.Mark
	pos  judge.Position
}

const (
	traceKept  = 6000 // events of a flow
	traceShown = 60
)

// trace keeps a flow's newest events.
type trace struct {
	events []event
	next   int
}

func (t *trace) add(e event) {
	if len(t.events) < traceKept {
		t.events = append(t.events, e)
		return
	}
	t.events[t.next] = e
	t.next = (t.next + 1) % traceKept
}

// Note puts something that happened to all flows into their traces.
func (w *World) Note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note = append(w.note, event{at: time.Since(w.began), who: "fault", what: what})
}

// Trace tells the last that happened around a broken promise: what is about the same change or a
// position near it, and all faults of that time.
func (f *Flow) Trace(err error) string {
	var v *judge.Violation
	if !errors.As(err, &v) {
		v = &judge.Violation{}
	}
	f.mu.Lock()
	all := slices.Clone(f.trace.events)
	f.mu.Unlock()
	near := func(e event) bool {
		switch {
		case v.Mark.Writer != "" && e.mark.Writer == v.Mark.Writer && abs(e.mark.Number-v.Mark.Number) <= 2:
			return true
		case v.Epoch != "" && e.pos.Epoch == v.Epoch && abs(int(e.pos.Seq)-int(v.Seq)) <= 2:
			return true
		}
		return e.mark.Writer == "" && (e.who == v.Who || v.Who == "")
	}
	kept := slices.DeleteFunc(all, func(e event) bool { return !near(e) })
	slices.SortStableFunc(kept, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	kept = kept[max(len(kept)-traceShown, 0):]
	f.world.mu.Lock()
	faults := f.world.note[max(len(f.world.note)-traceShown/2, 0):]
	kept = append(kept, faults...)
	f.world.mu.Unlock()
	slices.SortStableFunc(kept, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	for _, e := range kept {
		fmt.Fprintf(&b, "  %9.3fs %-12s %s", e.at.Seconds(), e.who, e.what)
		if e.mark.Writer != "" {
			fmt.Fprintf(&b, " %s:%d", e.mark.Writer, e.mark.Number)
		}
		if e.pos.Epoch != "" || e.pos.Seq != 0 {
			fmt.Fprintf(&b, " at %v", e.pos)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func abs(n int) int { return max(n, -n) }
