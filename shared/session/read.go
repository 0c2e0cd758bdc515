package session

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Content is what a flow's document is made of, as Redis holds it.
type Content struct {
	Held          // the newest change
	From Position // what the epoch was put back from, or what was deleted at its beginning; zero: it began empty

	// Behind says that Updates follow on the position that was asked for; else they follow on Document.
	Behind bool
	// Forked says that Redis has another change at the position: it lost changes and was given others.
	// Updates are then all that the log has.
	Forked   bool
	Document string // JSON; empty where nothing was folded yet: then it is {}
	Seq0     uint64 // of Document
	Bytes0   uint64 // of all changes of the epoch up to Seq0
	Updates  []*Update
}

// Read is ReadLater for a caller that waits.
func (f *Flow) Read(ctx context.Context, behind Held) (Content, error) {
	type result struct {
		content Content
		err     error
	}
	out := make(chan result, 1)
	f.ReadLater(behind, func(c Content, err error) { out <- result{c, err} })
	select {
	case r := <-out:
		return r.content, r.err
	case <-ctx.Done():
		return Content{}, fmt.Errorf("read the flow: %w", ctx.Err())
	}
}

// ReadLater reads the changes behind a position where the log reaches back that far, else the snapshot
// and the changes behind it; the zero Held asks for the snapshot. A flow that Redis knows nothing
// of has the zero Content. done must not block.
func (f *Flow) ReadLater(behind Held, done func(Content, error)) {
	f.store.lanes.Start(readScript, f.readKeys, []any{behind.Epoch, behind.Seq, behind.at()}, func(reply any, err error) {
		if err != nil {
			done(Content{}, err)
			return
		}
		done(f.parseContent(reply))
	})
}

func (f *Flow) parseContent(reply any) (Content, error) {
	r := reader{values: asList(reply)}
	kind := r.text()
	if kind == "none" {
		return Content{}, nil
	}
	c := Content{Behind: kind == "log", Forked: kind == "fork"}
	c.Epoch, c.Seq, c.At, c.From = r.text(), uint64(r.integer()), timeOf(r.integer()), parsePosition(r.text())
	if kind == "document" {
		c.Seq0, c.Bytes0, c.Document = uint64(r.integer()), uint64(r.integer()), r.text()
	}
	for len(r.values) > 0 && !r.bad {
		m, err := ParseMessage(r.text())
		if err != nil {
			return Content{}, fmt.Errorf("read the log of flow %q: %w", f.id, err)
		}
		if m.Update != nil {
			c.Updates = append(c.Updates, m.Update)
		}
	}
	return c, r.failed("read")
}

// parsePosition reads "<epoch> <seq>"; anything else is none.
func parsePosition(s string) Position {
	epoch, seq, _ := strings.Cut(s, " ")
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return Position{}
	}
	return Position{Epoch: epoch, Seq: n}
}
