package judge

import (
	"fmt"
	"slices"
)

// Position is a place in a flow's history.
type Position struct {
	Epoch string
	Seq   uint64
}

func (p Position) String() string { return fmt.Sprintf("%s/%d", p.Epoch, p.Seq) }

// History gathers what all clients saw of one flow. It is not safe for concurrent use.
type History struct {
	phase   int
	epochs  map[string]*epoch
	writers map[string]*writer
}

// epoch is one run of seqs.
type epoch struct {
	changes   map[uint64]*change
	documents map[uint64]document // that clients had, by seq
}

type change struct {
	text  string
	patch Tree
	mark  Mark
	by    string // who saw it first
}

type document struct {
	text string
	by   string
}

// writer is what one writer did in this phase.
type writer struct {
	exact bool        // its changes bear ids: each counts exactly once
	sent  map[int]int // times sent, by number
	acked map[int]ack
	out   map[int]bool // refused for good: they must not count
}

type ack struct {
	seq   uint64
	epoch string // where the answer told
}

// NewHistory begins a flow's history.
func NewHistory() *History {
	h := &History{writers: map[string]*writer{}}
	h.Forget(0, Position{}, nil)
	return h
}

// Writer makes a writer known. exact: its changes bear ids and are sent again until they are
// acknowledged, and so must count exactly once. Of other writers' changes those must count that were
// acknowledged, and any other may.
func (h *History) Writer(name string, exact bool) {
	h.writers[name] = &writer{exact: exact, sent: map[int]int{}, acked: map[int]ack{}, out: map[int]bool{}}
}

// Sent notes that a change goes out, for the first time or again.
func (h *History) Sent(m Mark) { h.writers[m.Writer].sent[m.Number]++ }

// Acked notes an acknowledgement; epoch is empty where it was not told.
func (h *History) Acked(m Mark, epoch string, seq uint64) {
	h.writers[m.Writer].acked[m.Number] = ack{seq: seq, epoch: epoch}
}

// RefusedForGood notes that a change was refused and is not sent again.
func (h *History) RefusedForGood(m Mark) { h.writers[m.Writer].out[m.Number] = true }

// Seen takes a change that a client was told of by itself: all must be told the same.
func (h *History) Seen(who string, p Position, patch []byte) (Tree, error) {
	tree, err := Parse(patch)
	if err != nil {
		return nil, &Violation{Kind: Garbled, Who: who, Epoch: p.Epoch, Seq: p.Seq, What: err.Error()}
	}
	e := h.epoch(p.Epoch)
	text := Text(tree)
	if known, ok := e.changes[p.Seq]; ok {
		if known.text != text {
			return nil, &Violation{Kind: Conflict, Who: who, Mark: known.mark, Epoch: p.Epoch, Seq: p.Seq,
				What: fmt.Sprintf("it saw %.200s, but %s saw %.200s", text, known.by, known.text)}
		}
		return tree, nil
	}
	mark, ok := MarkOf(tree)
	if !ok || h.writers[mark.Writer] == nil {
		return nil, &Violation{Kind: Invented, Who: who, Epoch: p.Epoch, Seq: p.Seq, What: fmt.Sprintf("%.200s", text)}
	}
	kept, _ := Parse(patch) // a merge uses its patch up
	e.changes[p.Seq] = &change{text: text, patch: kept, mark: mark, by: who}
	return tree, nil
}

// Document notes a whole document that a client has at a position: all must have the same.
func (h *History) Document(who string, p Position, t Tree) error {
	e := h.epoch(p.Epoch)
	text := Text(t)
	if known, ok := e.documents[p.Seq]; ok {
		if known.text != text {
			other, _ := Parse([]byte(known.text))
			return &Violation{Kind: Diverged, Who: who, Epoch: p.Epoch, Seq: p.Seq,
				What: fmt.Sprintf("its document is not that of %s: %s", known.by, Difference(t, other))}
		}
		return nil
	}
	e.documents[p.Seq] = document{text: text, by: who}
	return nil
}

// Forget begins a new phase, at a document that all agree on.
func (h *History) Forget(phase int, p Position, t Tree) {
	h.phase = phase
	h.epochs = map[string]*epoch{}
	if p.Epoch != "" {
		h.epoch(p.Epoch).documents[p.Seq] = document{text: Text(t), by: "the phase before"}
	}
	for _, w := range h.writers {
		w.sent, w.acked, w.out = map[int]int{}, map[int]ack{}, map[int]bool{}
	}
}

// Epochs are the epochs of this phase.
func (h *History) Epochs() []string { return sorted(h.epochs) }

// Changes says how many changes of this phase were seen, each counted once.
func (h *History) Changes() (n int) {
	for _, e := range h.epochs {
		n += len(e.changes)
	}
	return n
}

func (h *History) epoch(id string) *epoch {
	e := h.epochs[id]
	if e == nil {
		e = &epoch{changes: map[uint64]*change{}, documents: map[uint64]document{}}
		h.epochs[id] = e
	}
	return e
}

// places are where a change stands in an epoch.
func (e *epoch) places(m Mark) (seqs []uint64) {
	for seq, c := range e.changes {
		if c.mark == m {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}
