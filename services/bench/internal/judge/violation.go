// Package judge decides from what clients saw on the wire whether Helix kept its word: each
// acknowledged change counts exactly once, in one order for all, every document is the fold of that
// history, and no client was led back or past something unheard. It is pure: it knows no connection, no
// clock and no goroutine, and none of Helix's code.
package judge

import (
	"fmt"
	"strings"
)

// The kinds of broken promises.
const (
	Lost      = "lost"         // an acknowledged change has no effect
	Doubled   = "doubled"      // a change took effect twice
	Disorder  = "out of order" // of one writer's changes, or against its acknowledgement
	Conflict  = "two changes at one seq"
	Back      = "seq went back" // at a client, without a sync
	Jump      = "seq jumped"    // at a client, without a sync or a catch-up
	Diverged  = "diverged"      // two documents of one position, or a document and the fold
	Invented  = "invented"      // a change that nobody made
	Garbled   = "garbled"       // an answer or an event that says what cannot be
	Refused   = "refused"       // a change that is right was refused for good
	Unsettled = "unsettled"     // after the faults: somebody did not come to rest in time
	Count     = "wrong count"
	Presences = "wrong presence"
	Leak      = "left behind" // a goroutine or a subscription of a flow that has ended
)

// Violation is a broken promise.
type Violation struct {
	Kind  string `json:"kind"`
	Who   string `json:"who,omitempty"` // client that saw it, where one did
	Mark  Mark   `json:"mark,omitzero"` // of the change, where it is about one
	Epoch string `json:"epoch,omitempty"`
	Seq   uint64 `json:"seq,omitempty"`
	What  string `json:"what"`
}

func (v *Violation) Error() string {
	var b strings.Builder
	b.WriteString(v.Kind)
	if v.Who != "" {
		fmt.Fprintf(&b, ", at %s", v.Who)
	}
	if v.Mark.Writer != "" {
		fmt.Fprintf(&b, ", change %s:%d", v.Mark.Writer, v.Mark.Number)
	}
	if v.Epoch != "" {
		fmt.Fprintf(&b, ", at %s/%d", v.Epoch, v.Seq)
	}
	return b.String() + ": " + v.What
}
