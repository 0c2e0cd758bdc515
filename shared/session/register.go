package session

import (
	"crypto/rand"
	"errors"
	"time"
)

// ErrEnded says that the session which the node knew was closed on purpose: its clients are out.
var ErrEnded = errors.New("the session was closed")

// Registration is what a node says of itself in a flow.
type Registration struct {
	Wanted int // clients that the node has or wants to have
	Before int // of them, those that were granted before: they stay in whatever the limit
	Joined int // clients that came since the registration before, of those wanted
	Left   int // clients that went since then

	Number int64 // of the session that the node knows; 0: none
	// Held is where the node holds the document; a Redis that knows less answers LostError.
	Held Held
}

// Registered is what a node learns.
type Registered struct {
	Granted int   // clients that the node may have
	Total   int   // clients of all nodes
	Version int64 // rises with every change of Total within a session
	Number  int64 // of the session; 0 where there is none any more
	Started time.Time
	Epoch   string
	Seq     uint64        // the newest
	Token   int64         // fencing token where this node holds the lease, else 0
	Next    time.Duration // until another node's deadline; negative where there is no other node
	More    bool          // clients came in this step: told on the channel too, under Version
	Fewer   bool          // clients went in this step, also those of dead nodes
	At      time.Time     // of Seq
	// Presence is the version of what clients tell of themselves; 0: nobody told anything.
	Presence uint64
}

// Register says how many clients this node has or wants in the flow, in full; done learns what was
// granted, ErrEnded, or a LostError. It may be repeated after an error. done must not block.
func (f *Flow) Register(r Registration, done func(Registered, error)) {
	s := f.store
	args := []any{
		s.argNode, r.Wanted, r.Before, r.Joined, r.Left, s.argMax, s.argNodeTTL, s.argLeaseTTL, s.argRetention,
		string(f.id), r.Number, newEpoch(), s.argPublish, r.Held.Epoch, r.Held.Seq, r.Held.at(),
	}
	s.lanes.Start(registerScript, f.registerKeys, args, func(reply any, err error) {
		if err != nil {
			done(Registered{}, err)
			return
		}
		done(parseRegistered(reply))
	})
}

func parseRegistered(reply any) (Registered, error) {
	r := reader{values: asList(reply)}
	switch r.text() {
	case "ended":
		return Registered{}, ErrEnded
	case "lost":
		return Registered{}, r.lost("register")
	}
	out := Registered{
		Granted: int(r.integer()), Total: int(r.integer()), Version: r.integer(), Number: r.integer(),
		Started: time.UnixMilli(r.integer()), Epoch: r.text(), Seq: uint64(r.integer()), Token: r.integer(),
	}
	if next := r.integer(); next >= 0 {
		out.Next = time.Duration(next) * time.Millisecond
	} else {
		out.Next = -1
	}
	out.More, out.Fewer = r.integer() == 1, r.integer() == 1
	out.At = timeOf(r.integer())
	out.Presence = uint64(r.integer())
	return out, r.failed("register")
}

// newEpoch makes the epoch that a flow gets if it has none.
func newEpoch() string { return rand.Text()[:12] }
