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
	traceShown = 50
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

// Trace tells what happened around a broken promise: all that is about the same change or the same
// position, the newest of what is near it, and the faults of that time.
func (f *Flow) Trace(err error) string {
	var v *judge.Violation
	if !errors.As(err, &v) {
		v = &judge.Violation{}
	}
	f.mu.Lock()
	all := slices.Clone(f.trace.events)
	f.mu.Unlock()
	slices.SortStableFunc(all, byTime)
	var about, near []event
	for _, e := range all {
		switch {
		case v.Mark.Writer != "" && e.mark == v.Mark, v.Epoch != "" && e.pos == judge.Position{Epoch: v.Epoch, Seq: v.Seq}:
			about = append(about, e)
		case e.mark.Writer == "" && (e.who == v.Who || v.Who == ""),
			e.who == v.Mark.Writer && e.mark.Writer == v.Mark.Writer && abs(e.mark.Number-v.Mark.Number) <= 2,
			e.who == v.Who && e.pos.Epoch == v.Epoch && abs(int(e.pos.Seq)-int(v.Seq)) <= 2:
			near = append(near, e)
		}
	}
	f.world.mu.Lock()
	faults := slices.Clone(f.world.note)
	f.world.mu.Unlock()
	lines := slices.Concat(newest(about, traceShown), newest(near, traceShown), newest(faults, traceShown/2))
	slices.SortStableFunc(lines, byTime)
	var b strings.Builder
	for _, e := range lines {
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

func byTime(a, b event) int { return cmp.Compare(a.at, b.at) }

func newest(list []event, n int) []event { return list[max(len(list)-n, 0):] }

func abs(n int) int { return max(n, -n) }
