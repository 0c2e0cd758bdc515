package fanout

import (
	"helix/shared/document"
	"helix/shared/session"
)

// content is the flow's document on this edge: held while this edge has the lease, or members that
// asked for it. Changes are applied when the document is needed, not as they come.
type content struct {
	doc *document.Document // nil: not held
	seq uint64             // that doc is at; what is newer waits in history.recent

	json    []byte // of the document at jsonSeq
	jsonSeq uint64
}

// wantsDocument says whether this edge is to hold the document. The caller holds the lock.
func (f *Flow) wantsDocument() bool { return f.token != 0 || f.following > 0 || f.outbox.narrow }

// load takes the document as Redis has it; the updates behind it are noted in the history next.
func (f *Flow) load(c *session.Content) error {
	doc := document.New()
	if c.Document != "" {
		var err error
		if doc, err = document.Parse([]byte(c.Document), document.Limits{}); err != nil {
			return err
		}
	}
	f.content = content{doc: doc, seq: c.Seq0}
	return nil
}

// document gives the document at the history's position. It must be held.
func (f *Flow) document() *document.Document {
	f.apply()
	return f.content.doc
}

// apply brings the document to the history's position.
func (f *Flow) apply() {
	if f.content.seq >= f.history.Seq {
		return
	}
	for _, u := range f.history.recent {
		for i := range u.Changes {
			seq := u.First + uint64(i)
			if seq <= f.content.seq {
				continue
			}
			if err := f.content.doc.Apply([]byte(u.Changes[i].Changes)); err != nil {
				// Every edge refuses it in the same way, so all documents stay the same.
				f.hub.Log.Warn("a change cannot be applied to the document", "flow", f.id, "seq", seq, "error", err)
			}
			f.content.seq = seq
		}
	}
}

// settle keeps what waits to be applied, and what is kept for those who resume, within their bounds.
func (f *Flow) settle() {
	if f.history.recentBytes <= maxRecent {
		return
	}
	if f.content.doc != nil {
		f.apply()
	}
	f.history.trim(f.needed())
}

// rest lets go of what only a busy flow needs.
func (f *Flow) rest() {
	if f.content.doc != nil {
		f.apply()
	}
	f.content.json = nil
	if !f.wantsDocument() && len(f.catching) == 0 && !f.registering.underWay && !f.outbox.sending && !f.outbox.held {
		f.content = content{}
	}
	if len(f.catching) == 0 && !f.repairing.underWay {
		f.history.recent, f.history.recentBytes = nil, 0
	}
}

// documentJSON gives the document at the history's position as JSON, encoded once per seq. Read only.
func (f *Flow) documentJSON() []byte {
	if f.content.json == nil || f.content.jsonSeq != f.history.Seq {
		f.content.json = f.document().AppendJSON(make([]byte, 0, f.content.doc.Size()))
		f.content.jsonSeq = f.history.Seq
	}
	return f.content.json
}

// folded gives the document at the history's position with what a list of flows shows of it.
func (f *Flow) folded() session.Folded {
	return fold(f.document(), f.history.Held, f.history.bytes)
}

func fold(doc *document.Document, at session.Held, bytes uint64) session.Folded {
	return session.Folded{
		Held: at, Bytes: bytes, Document: doc.AppendJSON(make([]byte, 0, doc.Size())),
		Title: title(doc), Nodes: doc.Len("nodes"), Edges: doc.Len("edges"),
	}
}

// title is what people call a flow: the document's own "title", else its "name".
func title(doc *document.Document) string {
	const most = 200 // bytes
	for _, member := range []string{"title", "name"} {
		if t, ok := doc.String(member); ok && t != "" {
			if len(t) > most {
				t = t[:most]
			}
			return t
		}
	}
	return ""
}
