package judge

import "fmt"

// Reader is what one client knows of its flow. A client that follows holds the document; a plain one
// only counts.
type Reader struct {
	name    string
	follows bool
	history *History

	At     Position
	doc    Tree
	lagged bool // in this connection it got a catch-up: what was queued before may repeat
}

// NewReader makes a client that has nothing yet.
func NewReader(name string, follows bool, h *History) *Reader {
	return &Reader{name: name, follows: follows, history: h}
}

// Document is what the client holds; it is the reader's.
func (r *Reader) Document() Tree { return r.doc }

// Forget makes the client one that was never there.
func (r *Reader) Forget() { r.At, r.doc = Position{}, nil }

// Joined takes the answer to a join without a document: a plain client counts from there.
func (r *Reader) Joined(p Position) error {
	r.lagged = false
	if r.follows {
		return r.violation(Garbled, p, "the answer to a join holds neither the document nor what was missed")
	}
	r.At = p
	return nil
}

// Snapshot takes the document that a join's answer or a sync holds.
func (r *Reader) Snapshot(p Position, data []byte) error {
	r.lagged = false
	t, err := Parse(data)
	if err != nil {
		return r.violation(Garbled, p, err.Error())
	}
	if _, ok := t.(map[string]any); !ok {
		return r.violation(Garbled, p, "the document is no object")
	}
	r.At, r.doc = p, t
	return r.history.Document(r.name, p, t)
}

// Missed is one change of a join's answer that brings what was missed.
type Missed struct {
	Seq     uint64
	Changes []byte
}

// Resumed takes an answer that brings what was missed, up to a position.
func (r *Reader) Resumed(to Position, missed []Missed) error {
	r.lagged = false
	if to.Epoch != r.At.Epoch {
		return r.violation(Jump, to, fmt.Sprintf("it resumed from %v and got the changes of another epoch", r.At))
	}
	for _, m := range missed {
		if err := r.Update(Position{to.Epoch, m.Seq}, m.Changes); err != nil {
			return err
		}
	}
	switch {
	case r.At.Seq < to.Seq:
		return r.violation(Jump, to, fmt.Sprintf("the answer to its resume ends at %v", r.At))
	case r.At.Seq > to.Seq:
		return r.violation(Back, to, fmt.Sprintf("the answer to its resume tells a seq below its own, %v", r.At))
	}
	return nil
}

// Update takes a change.
func (r *Reader) Update(p Position, changes []byte) error {
	patch, err := r.history.Seen(r.name, p, changes)
	if err != nil {
		return err
	}
	switch {
	case p.Epoch != r.At.Epoch:
		return r.violation(Jump, p, fmt.Sprintf("another epoch without a sync; it was at %v", r.At))
	case p.Seq == r.At.Seq+1:
	case p.Seq <= r.At.Seq && r.lagged:
		return nil
	case p.Seq <= r.At.Seq:
		return r.violation(Back, p, fmt.Sprintf("it was at %v", r.At))
	default:
		return r.violation(Jump, p, fmt.Sprintf("it was at %v", r.At))
	}
	r.At = p
	if r.follows {
		r.doc = Merge(r.doc, patch)
	}
	return nil
}

// Replaced takes the whole document that a plain client gets as an update when its flow got another one.
func (r *Reader) Replaced(p Position) { r.At = p }

// Caught takes a catch-up: patches that stand for all changes after one seq up to another.
func (r *Reader) Caught(from uint64, to Position, patches [][]byte) error {
	switch {
	case to.Epoch != r.At.Epoch:
		return r.violation(Jump, to, fmt.Sprintf("a catch-up of another epoch; it was at %v", r.At))
	case from > r.At.Seq:
		return r.violation(Jump, to, fmt.Sprintf("a catch-up that begins after %d; it was at %v", from, r.At))
	case to.Seq < r.At.Seq:
		return r.violation(Back, to, fmt.Sprintf("a catch-up that ends before %v, where it was", r.At))
	case len(patches) > 2:
		return r.violation(Garbled, to, fmt.Sprintf("a catch-up of %d patches", len(patches)))
	}
	for _, data := range patches {
		t, err := Parse(data)
		if err != nil {
			return r.violation(Garbled, to, err.Error())
		}
		r.doc = Merge(r.doc, t)
	}
	r.At, r.lagged = to, true
	return r.history.Document(r.name, to, r.doc)
}

func (r *Reader) violation(kind string, p Position, what string) error {
	return &Violation{Kind: kind, Who: r.name, Epoch: p.Epoch, Seq: p.Seq, What: what}
}
