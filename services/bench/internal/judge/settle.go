package judge

import (
	"fmt"
	"maps"
	"slices"
)

// Settle judges a quiet point: all writers have their acknowledgements, and the server says that the flow
// is at a position with a document. It gives every broken promise it finds, the gravest first.
func (h *History) Settle(p Position, server Tree, readers []*Reader) (found []error) {
	add := func(err error) {
		if err != nil {
			found = append(found, err)
		}
	}
	for _, name := range sorted(h.writers) {
		for _, err := range h.effects(name, server) {
			add(err)
		}
	}
	add(h.Document("the server", p, server))
	for _, r := range readers {
		switch {
		case r.At != p:
			add(r.violation(Unsettled, r.At, fmt.Sprintf("the server is at %v", p)))
		case r.follows:
			add(h.Document(r.name, p, r.doc))
		}
	}
	for _, id := range sorted(h.epochs) {
		for _, err := range h.line(id, p) {
			add(err)
		}
	}
	for _, name := range sorted(h.writers) {
		add(h.acknowledgements(name))
	}
	return found
}

// effects compares the marks in the document with what a writer did in this phase.
func (h *History) effects(name string, server Tree) (found []error) {
	w := h.writers[name]
	in := marksOf(server, name, h.phase)
	for _, n := range slices.Sorted(maps.Keys(w.acked)) {
		if !in[n] {
			m := Mark{name, n}
			v := &Violation{Kind: Lost, Mark: m, Seq: w.acked[n].seq, What: "it was acknowledged, and the document does not have it; " + h.whereabouts(m)}
			found = append(found, v)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(in)) {
		if w.sent[n] == 0 {
			found = append(found, &Violation{Kind: Invented, Mark: Mark{name, n}, What: "the document has it, and it was not sent"})
		}
	}
	for _, n := range slices.Sorted(maps.Keys(w.out)) {
		if in[n] && w.exact {
			m := Mark{name, n}
			found = append(found, &Violation{Kind: Invented, Mark: m, What: "it was refused for good, and the document has it; " + h.whereabouts(m)})
		}
	}
	if !w.exact {
		return found
	}
	if last, ok := lastOf(server, name); ok && len(w.sent) > 0 {
		if newest := slices.Max(slices.Collect(maps.Keys(w.sent))); last != newest && in[newest] {
			found = append(found, &Violation{Kind: Disorder, Mark: Mark{name, last}, What: fmt.Sprintf("it took effect after the writer's newest, %d; %s", newest, h.whereabouts(Mark{name, last}))})
		}
	}
	return found
}

func (h *History) whereabouts(m Mark) string {
	text := ""
	for _, id := range sorted(h.epochs) {
		for _, seq := range h.epochs[id].places(m) {
			text += fmt.Sprintf(" %s/%d", id, seq)
		}
	}
	if text == "" {
		return "nobody saw it"
	}
	return "seen at" + text
}

// line follows one epoch's changes from its first known document to its last, and holds it against every
// document that a client had on the way. Of the epoch in which the flow now is no change may be missing.
func (h *History) line(id string, end Position) (found []error) {
	e := h.epochs[id]
	if len(e.documents) == 0 {
		return h.order(e, id, nil, 0)
	}
	known := slices.Sorted(maps.Keys(e.documents))
	from, to := known[0], known[len(known)-1]
	t, _ := Parse([]byte(e.documents[from].text))
	found = h.order(e, id, t, from)
	for seq := from + 1; seq <= to; seq++ {
		c := e.changes[seq]
		if c == nil {
			if id == end.Epoch {
				return append(found, &Violation{Kind: Lost, Epoch: id, Seq: seq, What: "the history has nothing at this seq"})
			}
			return found // over, and nobody saw it all
		}
		patch, _ := Parse([]byte(c.text))
		t = Merge(t, patch)
		if d, ok := e.documents[seq]; ok && d.text != Text(t) {
			other, _ := Parse([]byte(d.text))
			return append(found, &Violation{Kind: Diverged, Who: d.by, Mark: c.mark, Epoch: id, Seq: seq,
				What: "its document is not the fold of the history: " + Difference(other, t)})
		}
	}
	return found
}

// order judges that the changes of each writer with ids rise, and that none behind a document is in that
// document already.
func (h *History) order(e *epoch, id string, base Tree, from uint64) (found []error) {
	last := map[string]int{}
	for name := range h.writers {
		last[name], _ = lastOf(base, name)
	}
	for _, seq := range slices.Sorted(maps.Keys(e.changes)) {
		c := e.changes[seq]
		if w := h.writers[c.mark.Writer]; seq <= from || !w.exact {
			continue
		}
		before := last[c.mark.Writer]
		if c.mark.Number > before {
			last[c.mark.Writer] = c.mark.Number
			continue
		}
		v := &Violation{Kind: Disorder, Who: c.by, Mark: c.mark, Epoch: id, Seq: seq, What: fmt.Sprintf("it comes after %d of the same writer", before)}
		if places := e.places(c.mark); len(places) > 1 {
			v.Kind, v.What = Doubled, fmt.Sprintf("it stands at %d", places)
		} else if n, _ := lastOf(base, c.mark.Writer); c.mark.Number <= n {
			v.Kind, v.What = Doubled, fmt.Sprintf("the document that this epoch had at %d holds the writer's changes up to %d already", from, n)
		}
		found = append(found, v)
	}
	return found
}

// acknowledgements compares the seqs that a writer was told with where its changes stand. Across epochs
// they cannot be compared: an answer over the socket does not tell the epoch.
func (h *History) acknowledgements(name string) error {
	w := h.writers[name]
	for _, n := range slices.Sorted(maps.Keys(w.acked)) {
		a, m := w.acked[n], Mark{name, n}
		id := a.epoch
		if id == "" {
			if len(h.epochs) != 1 {
				continue
			}
			for only := range h.epochs {
				id = only
			}
		}
		e := h.epochs[id]
		if e == nil {
			continue
		}
		places := e.places(m)
		wrong := len(places) > 0 && (a.seq < places[0] || (a.epoch != "" && !slices.Contains(places, a.seq)))
		if wrong {
			return &Violation{Kind: Disorder, Mark: m, Epoch: id, Seq: a.seq, What: fmt.Sprintf("this is the seq that its writer was told, but it stands at %d", places)}
		}
	}
	return nil
}
