package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"helix/shared/flows"
)

// ErrFull says that a run might let the document grow over its limit: nothing was done.
var ErrFull = errors.New("the document is too large")

// ErrMoved says that the flow is not at the position for which alone something was to be done: nothing was.
var ErrMoved = errors.New("the flow is at another position")

// LostError says that Redis knows less of a flow than the node that asked: it was restarted with an
// older or an empty data set, or another node put the document back already. Nothing was done.
type LostError struct {
	Epoch string // that Redis has; empty for none
	Seq   uint64
}

func (e *LostError) Error() string {
	return fmt.Sprintf("Redis has the flow at epoch %q, seq %d", e.Epoch, e.Seq)
}

// Position is a place in a flow's history.
type Position = flows.Position

// Held is a place in a flow's history as a node knows it: its time tells it from the same seq in another
// history, of a Redis that lost changes and was given others. The zero Held is none; a zero At is not known.
type Held struct {
	Position
	At time.Time // Redis's, of the run that ended with Seq
}

func (h Held) at() int64 {
	if h.At.IsZero() {
		return 0
	}
	return h.At.UnixMilli()
}

// timeOf is a time as Redis has it; 0 is none.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Guard is under what conditions a run of changes is carried out.
type Guard struct {
	// Held is where the node holds the document; a Redis that knows less answers LostError.
	Held Held
	// Limit of the document in bytes; 0: none. A run that might cross it gets ErrFull, unless the
	// document is at FitsAt, where the caller knows that it does not.
	Limit  int
	FitsAt uint64
	Fits   bool // FitsAt is set
	// Only is where the flow must be, to the seq; else ErrMoved. nil: anywhere.
	Only *Position
}

// onlyAt is Guard.Only for a script.
func onlyAt(p *Position) string {
	if p == nil {
		return ""
	}
	return p.String()
}

// Changed says where a run of changes went.
type Changed struct {
	Epoch    string
	First    uint64 // seq of the first change that was not a repeat; the others follow without gaps
	At       time.Time
	Counted  bool      // the node's clients are counted in the session
	Token    int64     // fencing token where this node holds the lease, else 0
	Unfolded uint64    // changes that the snapshot does not hold yet
	Bytes    uint64    // of all changes of the epoch up to the run's last; see Update
	Before   time.Time // of the run before; see Update
	Repeats  []Repeat
}

// Repeat is a change that was carried out before.
type Repeat struct {
	Index int    // in the run
	Seq   uint64 // that it had got; 0 where only a later change of its client is remembered
	// Refused says that it was not carried out, and will not be: it was refused for good.
	Refused bool
}

// Change orders, stores and publishes a run of changes in one step. done must not block. body is read
// until done is called. An error that is no LostError, no ErrFull and no ErrMoved leaves open whether the
// run was carried out.
func (f *Flow) Change(body *Body, g Guard, done func(Changed, error)) {
	s := f.store
	fits := int64(-1)
	if g.Fits {
		fits = int64(g.FitsAt)
	}
	args := make([]any, 0, 13+5*len(body.parts))
	args = append(args, s.argNode, f.argID, s.argLeaseTTL, s.argRetention, newEpoch(), s.argPublish, g.Held.Epoch, g.Held.Seq, g.Held.at(), g.Limit, fits, onlyAt(g.Only))
	args = body.appendArgs(args)
	s.lanes.Start(changeScript, f.changeKeys, args, func(reply any, err error) {
		if err != nil {
			done(Changed{}, err)
			return
		}
		done(parseChanged(body, reply))
	})
}

func parseChanged(body *Body, reply any) (Changed, error) {
	r := reader{values: asList(reply)}
	switch r.text() {
	case "lost":
		return Changed{}, r.lost("change")
	case "full":
		return Changed{}, ErrFull
	case "moved":
		return Changed{}, ErrMoved
	}
	out := Changed{
		Epoch: r.text(), First: uint64(r.integer()), At: time.UnixMilli(r.integer()),
		Counted: r.integer() == 1, Token: r.integer(), Unfolded: uint64(r.integer()), Bytes: uint64(r.integer()), Before: timeOf(r.integer()),
	}
	for len(r.values) > 0 && !r.bad {
		index := int(r.integer())
		if index < 0 || index >= len(body.parts) {
			r.bad = true
			break
		}
		repeat := Repeat{Index: body.firstOf(index)}
		if seq := r.integer(); seq >= 0 {
			repeat.Seq = uint64(seq)
		} else {
			repeat.Refused = true
		}
		out.Repeats = append(out.Repeats, repeat)
	}
	return out, r.failed("change")
}

// ChangeOne makes one change from outside the session and waits. With ErrFull and ErrMoved nothing was done.
func (f *Flow) ChangeOne(ctx context.Context, c flows.Change, g Guard) (Changed, error) {
	body := &Body{}
	body.Start(f.store.node, 0)
	if c.Trace != nil {
		body.Trace(c.Trace.Parent())
	}
	body.Add(0, Change{ClientID: c.ClientID, ID: c.ID, Changes: string(c.Changes)})
	type result struct {
		changed Changed
		err     error
	}
	out := make(chan result, 1)
	f.Change(body, g, func(changed Changed, err error) { out <- result{changed, err} })
	select {
	case r := <-out:
		return r.changed, r.err
	case <-ctx.Done():
		return Changed{}, fmt.Errorf("change the flow: %w", ctx.Err())
	}
}
