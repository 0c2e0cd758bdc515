package fanout

import (
	"helix/shared/flows"
)

// A document near its limit. Redis knows its size only from above: a change that might cross the limit
// comes back with nothing done. This edge then tries it on the document itself, and says to Redis at
// which seq it fits. So the limit is exact, and a change that makes the document smaller always passes.

// mostRefusals bounds the tries of one change while others change the same full document.
const mostRefusals = 20

// full: Redis refused the run for its size.
func (f *Flow) full() {
	o := &f.outbox
	o.narrow, o.fits = true, false
	if o.refusal++; o.refusal > mostRefusals {
		f.answerAll(flows.ErrUnavailable)
		f.send()
		return
	}
	if len(o.run) > 1 { // one by one: so each of them gets its own answer
		run := make([]change, 0, len(o.run)+len(o.waiting))
		for i := range o.run {
			if o.run[i].member != nil {
				run = append(run, o.run[i])
			}
		}
		o.waiting = append(run, o.waiting...)
		f.runDone()
		f.send()
		return
	}
	// Where Redis is, this edge must be too, before it can say what fits there.
	o.held = true
	f.repair()
}

// tryRun says whether the run, which is one change, may be sent now: it is tried on the document. A
// change that does not fit is answered; where the document is not here yet, the outbox is held.
func (f *Flow) tryRun() bool {
	o := &f.outbox
	if len(o.run) != 1 || f.hub.MaxDocument == 0 {
		return true
	}
	if f.content.doc == nil {
		o.held, o.sending = true, false
		f.repair()
		return false
	}
	if o.refusing { // it may fit by now
		o.refusing = false
		o.body.Start(f.hub.node, o.number)
		o.body.Trace(o.span.Parent())
		o.body.Add(o.run[0].num, o.run[0].body())
	}
	doc := f.document()
	if doc.Size()+len(o.run[0].changes()) > f.hub.MaxDocument {
		tried := doc.Clone()
		if err := tried.Apply(o.run[0].changes()); err != nil || (tried.Size() > f.hub.MaxDocument && tried.Size() >= doc.Size()) {
			return f.refuseRun()
		}
	} else if doc.Size() < f.hub.MaxDocument/2 {
		o.narrow = false // it became small again
	}
	o.fits, o.fitsAt = true, f.history.Seq
	return true
}

// refuseRun refuses the run, which is one change that does not fit. One with an id may have been carried out
// before, by another edge, or be under way there: so Redis notes the refusal, or says that it comes too late.
func (f *Flow) refuseRun() (send bool) {
	o := &f.outbox
	if o.run[0].id == 0 {
		f.answerAll(flows.ErrDocumentTooLarge)
		o.sending = false
		return false
	}
	o.refusing, o.fits = true, false
	o.body.Start(f.hub.node, o.number)
	o.body.Refuse(o.run[0].body())
	return true
}

// resume sends what waited for the document.
func (f *Flow) resume() {
	o := &f.outbox
	o.held = false
	switch {
	case o.sending:
	case o.open > 0:
		o.fits = false
		if !o.narrow || f.tryRun() {
			f.sendRun()
		} else {
			f.send()
		}
	default:
		f.send()
	}
}
