package fanout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"helix/shared/document"
	"helix/shared/flows"
	"helix/shared/session"
)

// What is asked for from outside the session: on any edge, whether or not the flow has members there.

// mostTries bounds how often a change from outside is tried anew because others changed the flow meanwhile.
const mostTries = 20

// Change implements flows.Sessions.
func (h *Hub) Change(ctx context.Context, id flows.ID, c flows.Change) (receipt flows.Receipt, err error) {
	f := h.Store.Flow(id)
	h.signChange(f, &c)
	run := followed(c).Run()
	c.Trace = run
	defer func() { run.End(err) }()
	guard := session.Guard{Limit: h.MaxDocument}
	for range mostTries {
		script := run.Script()
		got, err := f.ChangeOne(ctx, c, guard)
		script.End(err)
		switch {
		case errors.Is(err, session.ErrFull):
			if guard, err = h.tryOne(ctx, f, c); err != nil {
				return flows.Receipt{}, err
			}
		case err != nil:
			return flows.Receipt{}, unavailable(err)
		default:
			return h.changed(ctx, f, got), nil
		}
	}
	return flows.Receipt{}, flows.ErrUnavailable.Because(errors.New("others change the full document too fast"))
}

// tryOne tries a change on the document and says where it fits.
func (h *Hub) tryOne(ctx context.Context, f *session.Flow, c flows.Change) (session.Guard, error) {
	var held heldDocument
	if err := held.read(ctx, h, f); err != nil {
		return session.Guard{}, unavailable(err)
	}
	if held.foldDue() { // so that Redis counts from the document's size again
		h.foldVacant(ctx, f, &held)
	}
	doc := held.doc
	before := doc.Size()
	if err := doc.Apply(c.Changes); err != nil || (doc.Size() > h.MaxDocument && doc.Size() >= before) {
		return session.Guard{}, flows.ErrDocumentTooLarge
	}
	return session.Guard{Limit: h.MaxDocument, Fits: true, FitsAt: held.Seq}, nil
}

// changed counts a change and folds a flow that has no session to do it.
func (h *Hub) changed(ctx context.Context, f *session.Flow, got session.Changed) flows.Receipt {
	if len(got.Repeats) > 0 {
		receipt := flows.Receipt{Seq: got.Repeats[0].Seq, Epoch: got.Epoch}
		if receipt.Seq == 0 {
			receipt.Seq = got.First - 1
		}
		return receipt
	}
	h.Metrics.Changes.Inc()
	if got.Unfolded >= foldChanges {
		var held heldDocument
		if err := held.read(ctx, h, f); err != nil {
			h.Log.Warn("cannot read a flow that has no session, to fold it", "flow", f.ID(), "error", err)
		} else {
			h.foldVacant(ctx, f, &held)
		}
	}
	return flows.Receipt{Seq: got.First, Epoch: got.Epoch}
}

// foldVacant folds a flow that has no session; where there is one, its leaseholder does.
func (h *Hub) foldVacant(ctx context.Context, f *session.Flow, held *heldDocument) {
	d := fold(held.doc, held.Held, held.bytes)
	if keep := held.keep(uint64(h.LogChanges)); d.Seq > keep {
		d.KeepFrom = d.Seq - keep + 1
	}
	switch written, err := f.FoldVacant(ctx, d); {
	case errors.Is(err, session.ErrLeaseLost):
	case err != nil:
		h.Log.Warn("cannot fold a flow that has no session", "flow", f.ID(), "error", err)
	case written:
		h.Metrics.Folds.Inc()
	}
}

// heldDocument is a flow's document as a request holds it for a moment.
type heldDocument struct {
	session.Held
	doc    *document.Document // nil: not read yet
	exists bool
	bytes  uint64 // of all changes of the epoch up to there
	folded uint64 // seq of the snapshot
	size   uint64 // of the changes behind it, in bytes
}

// read brings the document to the newest change: what it holds already is not read again.
func (d *heldDocument) read(ctx context.Context, h *Hub, f *session.Flow) error {
	c, err := f.Read(ctx, d.Held)
	if err == nil && c.Forked {
		c, err = f.Read(ctx, session.Held{})
	}
	if err != nil {
		return err
	}
	if !c.Behind || d.doc == nil {
		*d = heldDocument{doc: document.New(), bytes: c.Bytes0, folded: c.Seq0}
		d.Epoch, d.Seq = c.Epoch, c.Seq0
		if c.Document != "" {
			d.exists = true
			if d.doc, err = document.Parse([]byte(c.Document), document.Limits{}); err != nil {
				return fmt.Errorf("read the snapshot of flow %q: %w", f.ID(), err)
			}
		}
	}
	for _, u := range c.Updates {
		h.applyTo(d.doc, f.ID(), u, d.Seq)
		d.size += u.Bytes - d.bytes
		d.Seq, d.bytes, d.exists = u.Last(), u.Bytes, true
	}
	d.At = c.At
	return nil
}

// foldDue says whether much is behind the snapshot.
func (d *heldDocument) foldDue() bool { return d.size >= max(foldBytes, uint64(d.doc.Size()/4)) }

// keep is how many changes the log keeps: up to most, and about logBytes, were all as large as those
// behind the snapshot are on average.
func (d *heldDocument) keep(most uint64) uint64 {
	if n := d.Seq - d.folded; n > 0 && d.size > 0 {
		most = min(most, logBytes*n/d.size)
	}
	return most
}

// applyTo brings a document that is at a seq to the end of an update.
func (h *Hub) applyTo(doc *document.Document, id flows.ID, u *session.Update, at uint64) {
	for i := range u.Changes {
		seq := u.First + uint64(i)
		if seq <= at {
			continue
		}
		if err := doc.Apply([]byte(u.Changes[i].Changes)); err != nil {
			// Every edge refuses it in the same way, so all documents stay the same.
			h.Log.Warn("a change cannot be applied to the document", "flow", id, "seq", seq, "error", err)
		}
	}
}

// Summary implements flows.Sessions.
func (h *Hub) Summary(ctx context.Context, id flows.ID) (flows.Summary, error) {
	s, exists, err := h.Store.Flow(id).Summary(ctx)
	switch {
	case err != nil:
		return flows.Summary{}, unavailable(err)
	case !exists:
		return flows.Summary{}, flows.ErrNoDocument
	}
	return s, nil
}

// Document implements flows.Sessions.
func (h *Hub) Document(ctx context.Context, id flows.ID) (flows.Document, error) {
	var held heldDocument
	if err := held.read(ctx, h, h.Store.Flow(id)); err != nil {
		return flows.Document{}, unavailable(err)
	}
	if !held.exists {
		return flows.Document{}, flows.ErrNoDocument
	}
	return flows.Document{Position: held.Position, UpdatedAt: held.At, JSON: held.doc.AppendJSON(make([]byte, 0, held.doc.Size()))}, nil
}

// Replace implements flows.Sessions: one change, the difference, which counts only where nobody changed
// the flow since it was made.
func (h *Hub) Replace(ctx context.Context, id flows.ID, to *document.Document, only flows.Condition) (flows.Replaced, error) {
	if h.MaxDocument > 0 && to.Size() > h.MaxDocument {
		return flows.Replaced{}, flows.ErrDocumentTooLarge
	}
	f := h.Store.Flow(id)
	var held heldDocument
	guard := session.Guard{Limit: h.MaxDocument, Only: &held.Position}
	for range mostTries {
		if err := held.read(ctx, h, f); err != nil {
			return flows.Replaced{}, unavailable(err)
		}
		if only != nil && !only(held.place()) {
			return flows.Replaced{}, flows.ErrPrecondition
		}
		patch, err := document.Diff(held.doc, to)
		if err != nil { // a null, which the boundary lets nobody put
			return flows.Replaced{}, flows.ErrNullMember.Because(err)
		}
		if held.exists && string(patch) == "{}" {
			return flows.Replaced{Position: held.Position}, nil
		}
		got, err := f.ChangeOne(ctx, flows.Change{Changes: patch}, guard)
		switch {
		case errors.Is(err, session.ErrMoved):
		case errors.Is(err, session.ErrFull): // by Redis's count, which is never too low; the document fits
			if held.foldDue() {
				h.foldVacant(ctx, f, &held)
			}
			guard.Limit = 0
		case err != nil:
			return flows.Replaced{}, unavailable(err)
		default:
			r := h.changed(ctx, f, got)
			h.keepReplaced(ctx, f, &held)
			return flows.Replaced{Position: flows.Position{Epoch: r.Epoch, Seq: r.Seq}, Created: !held.exists, Changed: true}, nil
		}
	}
	return flows.Replaced{}, flows.ErrConflict
}

// place is where the document is, the zero Position where there is none.
func (d *heldDocument) place() flows.Position {
	if !d.exists {
		return flows.Position{}
	}
	return d.Position
}

// Delete implements flows.Sessions.
func (h *Hub) Delete(ctx context.Context, id flows.ID, only flows.Condition) error {
	f := h.Store.Flow(id)
	for range mostTries {
		var at *session.Position
		if only != nil {
			s, exists, err := f.Summary(ctx)
			if err != nil {
				return unavailable(err)
			}
			switch {
			case !exists: // without the condition there would be nothing either: it does not count (RFC 9110, 13.2.1)
				return flows.ErrNoDocument
			case !only(s.Position):
				return flows.ErrPrecondition
			}
			at = &s.Position
		}
		existed, affected, err := f.Delete(ctx, at)
		switch {
		case errors.Is(err, session.ErrMoved):
		case err != nil:
			return unavailable(err)
		case !existed && affected == 0:
			return flows.ErrNoDocument
		default:
			return nil
		}
	}
	return flows.ErrConflict
}

const (
	mostCounted  = 64              // flows of one page whose documents are read for the list
	countWorkers = 4               // at once
	countWithin  = 2 * time.Second // of all of them
)

// List implements flows.Sessions. The leaseholder of a session folds within seconds; a flow that was left
// before that, or changed without a session, is read and folded when a list finds it so, within bounds:
// what is over them keeps its older counts, and is up to date in a later list.
func (h *Hub) List(ctx context.Context, after flows.Place, limit int) (list []flows.Summary, next flows.Place, err error) {
	list, next, err = h.Store.List(ctx, after, limit)
	if err != nil {
		return nil, flows.Place{}, unavailable(err)
	}
	var behind []*flows.Summary
	for i := range list {
		if s := &list[i]; !s.UpToDate() && !s.Active && len(behind) < mostCounted {
			behind = append(behind, s)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	var workers sync.WaitGroup
	for worker := range countWorkers {
		workers.Go(func() {
			for i := worker; i < len(behind) && ctx.Err() == nil; i += countWorkers {
				h.count(ctx, behind[i])
			}
		})
	}
	workers.Wait()
	return list, next, nil
}

// count reads a flow for the list, and folds it.
func (h *Hub) count(ctx context.Context, s *flows.Summary) {
	f := h.Store.Flow(s.Flow)
	var held heldDocument
	if err := held.read(ctx, h, f); err != nil {
		h.Log.Warn("cannot read a flow for the list", "flow", s.Flow, "error", err)
		return
	}
	if !held.exists {
		return
	}
	s.Position, s.CountedSeq = held.Position, held.Seq
	s.Title, s.Nodes, s.Edges = title(held.doc), held.doc.Len("nodes"), held.doc.Len("edges")
	h.foldVacant(ctx, f, &held)
}
