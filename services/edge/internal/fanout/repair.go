package fanout

import (
	"math/rand/v2"
	"time"

	"helix/shared/flows"
	"helix/shared/session"
)

// repair is the state of reading from Redis what did not come over pub/sub. One read at a time; whoever
// needs something meanwhile is served by its answer, or asks again then.
type repair struct {
	wanted   bool
	underWay bool
	writing  bool // a document is being put back
	run      uint64
	asked    session.Held // where this edge was when the read began: Redis must know that much
	forked   bool         // Redis was seen to have another history; only the document as it is there helps
	exact    bool         // the next read asks from this edge's own position
	failures int
	due      time.Time // of the next try after a failure; zero: none
}

const (
	firstRetry   = 100 * time.Millisecond
	longestRetry = 2 * time.Second
)

// repair reads what is missing. The caller holds the lock.
func (f *Flow) repair() {
	f.repairing.wanted = true
	f.read()
}

// read starts a read if one is wanted and none is under way. The caller holds the lock.
func (f *Flow) read() {
	r := &f.repairing
	if !r.wanted || r.underWay || r.writing || !r.due.IsZero() || !f.history.known() || f.stopped || f.retired {
		return
	}
	r.wanted, r.underWay = false, true
	r.run++
	run := r.run
	behind := f.history.Held
	r.asked = behind
	if f.content.doc == nil && (f.wantsDocument() || r.forked) {
		behind = session.Held{}
	} else if r.exact {
		r.exact = false
	} else if least, ok := f.leastResume(); ok && least < behind.Seq {
		behind.Seq, behind.At = least, time.Time{}
	}
	f.store.ReadLater(behind, func(c session.Content, err error) {
		f.guard(func() {
			if run == f.repairing.run && r.underWay {
				f.wasRead(&c, err)
			}
		})
	})
}

// wasRead takes what Redis holds.
func (f *Flow) wasRead(c *session.Content, err error) {
	r := &f.repairing
	r.underWay = false
	if f.stopped || f.retired {
		return
	}
	if err == nil {
		for _, u := range c.Updates {
			f.answerRun(u)
		}
		err = f.compare(c)
	}
	if err != nil {
		f.notRead(err)
		return
	}
	r.failures = 0
	if !r.writing {
		f.goOn()
	}
}

func (f *Flow) notRead(err error) {
	r := &f.repairing
	f.hub.Log.Warn("cannot read a flow's changes", "flow", f.id, "error", err)
	f.refuseCatching(flows.ErrUnavailable.Because(err))
	f.outbox.refuseHeld(f, flows.ErrUnavailable.Because(err))
	r.wanted = true
	backoff := min(firstRetry<<min(r.failures, 10), longestRetry)
	r.failures++
	r.due = time.Now().Add(backoff/2 + rand.N(backoff))
	f.arm(r.due)
}

// compare finds out what Redis's state means for this edge, and does it.
func (f *Flow) compare(c *session.Content) error {
	h := &f.history
	switch {
	case h.Epoch != f.repairing.asked.Epoch: // it is about what was before
		f.repairing.wanted = true
		return nil
	case c.Forked && f.content.doc == nil:
		f.repairing.forked, f.repairing.wanted = true, true
		return nil
	case c.Epoch == h.Epoch && !c.Forked && h.departs(c.Updates):
		// It was read from another place than this edge is at, or without one, so Redis could not tell.
		if f.repairing.forked = true; f.content.doc == nil && !c.Behind {
			return f.lost(c)
		}
		f.repairing.wanted, f.repairing.exact = true, true
		return nil
	case c.Epoch == h.Epoch && c.Seq >= f.repairing.asked.Seq && !c.Forked && (!f.repairing.forked || f.content.doc != nil):
		return f.follow(c)
	case c.Epoch == h.Epoch:
		return f.lost(c) // its newest changes are gone, and it may have others in their place
	case c.From.Epoch == h.Epoch && c.From.Seq >= h.Seq, c.From.Epoch != "" && c.From.Epoch != h.Epoch:
		return f.adopt(c) // put back by another edge, from where we are or later; or deleted
	}
	return f.lost(c)
}

// follow goes on with what Redis has behind the history's position.
func (f *Flow) follow(c *session.Content) error {
	if !f.history.reaches(c) { // more came meanwhile than is kept
		f.repairing.wanted = true
		return nil
	}
	if !c.Behind {
		if c.Seq0 > f.history.Seq {
			return f.adopt(c) // the log does not reach back to us any more
		}
		if f.content.doc == nil && f.wantsDocument() {
			if err := f.load(c); err != nil {
				return err
			}
			if f.history.bytes == 0 {
				f.history.bytes = c.Bytes0
			}
		}
	}
	defer f.paySync()
	f.fill(c.Updates)
	for _, u := range c.Updates {
		if u.Last() > f.history.Seq {
			f.deliver(u)
		}
	}
	return nil
}

// fill puts what is older than the history's recent updates before them: for the document that was
// loaded, and for those who resume.
func (f *Flow) fill(updates []*session.Update) {
	h := &f.history
	var older []*session.Update
	first := h.Seq + 1
	if len(h.recent) > 0 {
		first = h.recent[0].First
	}
	for _, u := range updates {
		if u.Last() < first {
			older = append(older, u)
			h.recentBytes += sizeOf(u)
			f.keeping.fresh = true
			if u.Last() == h.Seq {
				h.At, h.bytes = u.At, u.Bytes
			}
			h.noteIDs(u)
		}
	}
	if len(older) > 0 {
		h.recent = append(older, h.recent...)
	}
}

// adopt takes the document as Redis has it, in place of what this edge knew, and tells the members.
func (f *Flow) adopt(c *session.Content) error {
	f.repairing.forked = false
	if c.Epoch == "" { // Redis knows nothing: the registration begins anew
		f.history.start(session.Held{})
		f.content = content{}
		f.lagging.replaced()
		f.syncOwed = f.following > 0
		f.registering.wanted = true
		return nil
	}
	if err := f.load(c); err != nil {
		return err
	}
	f.history.start(session.Held{Position: session.Position{Epoch: c.Epoch, Seq: c.Seq0}})
	f.history.bytes = c.Bytes0
	for _, u := range c.Updates {
		if u.First == f.history.Seq+1 {
			f.history.take(u)
		}
	}
	if f.history.Seq == c.Seq {
		f.history.At = c.At
	}
	f.outbox.forget()
	f.tellSync()
	return nil
}

// lost: Redis knows less than this edge. Who holds the document puts it back; the others wait for that,
// and take what they find then.
func (f *Flow) lost(c *session.Content) error {
	f.hub.Metrics.Losses.Inc()
	f.hub.Log.Warn("Redis lost changes of a flow", "flow", f.id, "epoch", c.Epoch, "seq", c.Seq, "held_epoch", f.history.Epoch, "held_seq", f.history.Seq)
	if f.content.doc == nil {
		return f.adopt(c) // there is nothing to put back
	}
	doc := f.document().Clone()
	if c.Epoch != f.history.Epoch && c.Seq0 > 0 {
		// The flow went on for so long that its new changes are folded. Where it began empty, the
		// document is all of them; where it began with an older document, they are in there unseen.
		if c.From.Epoch == f.history.Epoch {
			return f.adopt(c)
		}
		if err := doc.Apply([]byte(c.Document)); err != nil {
			return err
		}
	}
	for _, u := range c.Updates {
		if c.Epoch == f.history.Epoch && !u.At.After(f.history.At) {
			continue // from before the loss
		}
		for i := range u.Changes {
			_ = doc.Apply([]byte(u.Changes[i].Changes)) // who sent it was told that it counts; reported when it came
			if change := &u.Changes[i]; change.ID > 0 {
				f.history.answer(change.ClientID, change.ID, u.At)
			}
		}
	}
	answered := make([]session.AnsweredChange, 0, len(f.history.answered))
	for _, a := range f.history.answered {
		answered = append(answered, a)
	}
	f.repairing.writing = true
	run := f.repairing.run
	f.store.Restore(f.history.Position, c.Held, fold(doc, session.Held{}, 0), answered, func(epoch string, err error) {
		f.guard(func() {
			if run != f.repairing.run || f.stopped || f.retired {
				return
			}
			f.repairing.writing = false
			switch {
			case err != nil:
				f.notRead(err)
			case epoch == "": // another edge was faster, or somebody changed the flow: look again
				f.repair()
			default:
				f.hub.Log.Warn("put a flow's document back", "flow", f.id, "epoch", epoch)
				f.hub.Metrics.Restores.Inc()
				f.history.start(session.Held{Position: session.Position{Epoch: epoch}})
				f.content = content{doc: doc}
				f.outbox.forget()
				f.tellSync()
				f.goOn()
			}
		})
	})
	return nil
}

// goOn does what waited for a read: the updates that came early, members that join, changes that Redis
// did not take, the registration.
func (f *Flow) goOn() {
	for _, u := range f.history.release() {
		f.update(u)
	}
	f.letCatching()
	f.serveLagging()
	f.resume()
	f.register()
	f.read()
	f.settle() // what was read for those who resume is not kept for longer
	if f.done() {
		f.kick()
	}
}

// tellSync gives the members the document in place of all that they have. Who does not understand that
// gets it as an update: right for a client whose changes are whole arrays.
func (f *Flow) tellSync() {
	f.syncOwed = false
	if f.members.count == 0 {
		return
	}
	f.lagging.replaced()
	f.members.sync(f.syncEvent())
}

// paySync tells the members the document that took the place of the one they have, if that is yet to be told.
func (f *Flow) paySync() {
	if f.syncOwed && f.content.doc != nil {
		f.tellSync()
	}
}

// syncEvent tells the document at the history's position, which must be held.
func (f *Flow) syncEvent() flows.Event {
	return flows.Event{
		Kind: flows.EventSync, Flow: f.id, Epoch: f.history.Epoch, Seq: f.history.Seq, Timestamp: time.Now().Unix(), Changes: string(f.documentJSON()),
	}
}
