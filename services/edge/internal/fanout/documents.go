package fanout

import (
	"context"
	"errors"
	"fmt"

	"helix/shared/document"
	"helix/shared/flows"
	"helix/shared/session"
)

// What is asked for from outside the session: on any edge, whether or not the flow has members there.

// mostTries bounds how often a change from outside is tried anew because others changed the flow meanwhile.
const mostTries = 20

// Change implements flows.Sessions.
func (h *Hub) Change(ctx context.Context, id flows.ID, c flows.Change) (flows.Receipt, error) {
	f := h.Store.Flow(id)
	guard := session.Guard{Limit: h.MaxDocument}
	for range mostTries {
		got, err := f.ChangeOne(ctx, c, guard)
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
	doc, at, err := h.readDocument(ctx, f)
	if err != nil {
		return session.Guard{}, err
	}
	before := doc.Size()
	if err := doc.Apply(c.Changes); err != nil || (doc.Size() > h.MaxDocument && doc.Size() >= before) {
		return session.Guard{}, flows.ErrDocumentTooLarge
	}
	return session.Guard{Limit: h.MaxDocument, Fits: true, FitsAt: at.Seq}, nil
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
		if err := h.foldVacant(ctx, f); err != nil {
			h.Log.Warn("cannot fold a flow that has no session", "flow", f.ID(), "error", err)
		}
	}
	return flows.Receipt{Seq: got.First, Epoch: got.Epoch}
}

func (h *Hub) foldVacant(ctx context.Context, f *session.Flow) error {
	c, err := f.Read(ctx, session.Held{})
	if err != nil {
		return err
	}
	doc, bytes, err := h.build(f.ID(), &c)
	if err != nil {
		return err
	}
	d := fold(doc, c.Held, bytes)
	if keep := uint64(h.LogChanges); d.Seq > keep {
		d.KeepFrom = d.Seq - keep + 1
	}
	_, err = f.FoldVacant(ctx, d)
	if errors.Is(err, session.ErrLeaseLost) { // it has a session: its holder folds
		return nil
	}
	return err
}

// build makes the document of what Redis holds, and says how many bytes its changes have.
func (h *Hub) build(id flows.ID, c *session.Content) (doc *document.Document, bytes uint64, err error) {
	doc, bytes = document.New(), c.Bytes0
	if c.Document != "" {
		if doc, err = document.Parse([]byte(c.Document), document.Limits{}); err != nil {
			return nil, 0, fmt.Errorf("read the snapshot of flow %q: %w", id, err)
		}
	}
	for _, u := range c.Updates {
		for i := range u.Changes {
			if u.First+uint64(i) <= c.Seq0 {
				continue
			}
			if err := doc.Apply([]byte(u.Changes[i].Changes)); err != nil {
				h.Log.Warn("a change cannot be applied to the document", "flow", id, "seq", u.First+uint64(i), "error", err)
			}
		}
		bytes = u.Bytes
	}
	return doc, bytes, nil
}

func (h *Hub) readDocument(ctx context.Context, f *session.Flow) (*document.Document, session.Position, error) {
	c, err := f.Read(ctx, session.Held{})
	if err != nil {
		return nil, session.Position{}, unavailable(err)
	}
	doc, _, err := h.build(f.ID(), &c)
	if err != nil {
		return nil, session.Position{}, unavailable(err)
	}
	return doc, c.Position, nil
}
