package fanout

import (
	"errors"
	"sync"

	"helix/shared/flows"
	"helix/shared/session"
	"helix/shared/telemetry"
)

// outbox is the members' changes on their way to Redis. One run of changes is under way at a time and
// the others gather behind it: so a sender's changes keep their order, and a hot flow costs one round
// trip per run, not per change.
type outbox struct {
	waiting []change
	run     []change // under way
	open    int      // of them, those that are not answered yet
	number  uint64   // of the run
	sending bool
	held    bool // Redis lost changes: nothing is sent until they are put back
	stopped bool
	bytes   int // of waiting and run
	space   sync.Cond
	body    session.Body
	span    *telemetry.Span // of the run, where a change of it is followed
	script  *telemetry.Span // of its call

	// narrow: the document may be near its limit; changes go one by one, and are tried before.
	narrow  bool
	refusal int  // times that Redis refused the run for its size
	fits    bool // the run was tried: at fitsAt it fits
	fitsAt  uint64
	// refusing: the run is one change that does not fit, and Redis is to note that.
	refusing bool
}

// change is one member's change; data holds the patch and, behind it, the tag.
type change struct {
	member   *member // nil once it is answered
	data     []byte
	patch    int
	id       uint64
	num      uint64 // the member's
	clientID string
	span     *telemetry.Span // nil: it is not followed
}

// body is the change as the store takes it.
func (c *change) body() session.Change {
	return session.Change{ClientID: c.clientID, ID: c.id, Changes: string(c.changes())}
}

func (c *change) changes() []byte { return c.data[:c.patch] }
func (c *change) tag() []byte     { return c.data[c.patch:] }

func (o *outbox) empty() bool { return len(o.waiting) == 0 && !o.sending && o.open == 0 }

// change takes a member's change. It waits while the flow has too many unanswered ones.
func (f *Flow) change(m *member, c flows.Change) {
	span := followed(c)
	data := make([]byte, 0, len(c.Changes)+len(c.Tag))
	data = append(append(data, c.Changes...), c.Tag...)
	f.guard(func() {
		o := &f.outbox
		for o.bytes > f.hub.MaxUnanswered && m.state == memberIn && !o.stopped {
			o.space.Wait()
		}
		if m.state != memberIn || o.stopped {
			span.End(errOut)
			return // it was told that it is out
		}
		if m.again > 0 && c.ID > 0 {
			if c.ID > m.again {
				m.Answered(c.Tag, flows.Receipt{}, flows.ErrUnavailable)
				span.End(flows.ErrUnavailable)
				return
			}
			m.again = 0
		}
		if m.unsigned {
			f.signChanges(m)
		}
		o.waiting = append(o.waiting, change{member: m, data: data, patch: len(c.Changes), id: c.ID, num: m.num, clientID: m.clientID, span: span})
		o.bytes += len(data)
		if !o.sending {
			f.send()
		}
	})
}

// send starts the next run. The caller holds the lock.
func (f *Flow) send() {
	o := &f.outbox
	for !o.held && o.open == 0 { // a run that Redis did not carry out goes first, when it may
		o.sending = len(o.waiting) > 0
		if !o.sending {
			return
		}
		f.nextRun()
		if !o.narrow || f.tryRun() {
			f.sendRun()
			return
		}
	}
}

// nextRun makes a run of what waits.
func (f *Flow) nextRun() {
	o := &f.outbox
	most := session.MaxRun
	if o.narrow {
		most = 1
	}
	o.number++
	o.body.Start(f.hub.node, o.number)
	n := 0
	for n < len(o.waiting) && n < most && o.body.Size() < session.MaxRunBytes {
		c := &o.waiting[n]
		o.body.Add(c.num, c.body())
		n++
	}
	o.run = append(o.run[:0], o.waiting[:n]...)
	o.open, o.refusal, o.fits, o.refusing = n, 0, false, false
	left := copy(o.waiting, o.waiting[n:])
	clear(o.waiting[left:])
	o.waiting = o.waiting[:left]
	o.follow()
}

// sendRun sends the run that is ready.
func (f *Flow) sendRun() {
	o := &f.outbox
	o.sending = true
	number := o.number
	o.script = o.span.Script()
	guard := session.Guard{Held: f.heldAt(), Limit: f.hub.MaxDocument, Fits: o.fits, FitsAt: o.fitsAt}
	f.store.Change(&o.body, guard, func(got session.Changed, err error) {
		f.guard(func() { f.sent(number, got, err) })
	})
}

// heldAt is where this edge holds the document, if it does.
func (f *Flow) heldAt() session.Held {
	if f.content.doc == nil {
		return session.Held{}
	}
	return f.history.Held
}

// sent takes Redis's answer to a run.
func (f *Flow) sent(number uint64, got session.Changed, err error) {
	o := &f.outbox
	if number != o.number || f.stopped {
		return
	}
	o.script.End(err)
	var lost *session.LostError
	switch {
	case errors.As(err, &lost):
		o.sending = false
		if o.held = f.history.known(); o.held { // sent again when that is settled
			f.repair()
		} else {
			f.resume()
		}
		f.kick()
		return
	case errors.Is(err, session.ErrFull):
		o.sending = false
		f.full()
		f.kick()
		return
	case err != nil:
		f.answerAll(unavailable(err))
	default:
		f.answered(got)
	}
	o.sending = false
	if o.body.Size() > session.MaxRunBytes/4 {
		o.body = session.Body{} // a large one is not kept for flows that are mostly still
	}
	f.send()
	if f.done() {
		f.kick()
	}
}

// answered tells the members of the run what Redis made of it.
func (f *Flow) answered(got session.Changed) {
	o := &f.outbox
	f.holdLease(got.Token)
	if !got.Counted && f.members.count > 0 {
		f.registering.wanted = true // Redis forgot us
		f.register()
	}
	repeats, next := got.Repeats, got.First
	fresh := len(o.run) - len(got.Repeats)
	for i := range o.run {
		receipt := flows.Receipt{Seq: next, Epoch: got.Epoch}
		var err error
		switch {
		case len(repeats) > 0 && repeats[0].Index == i:
			// Of a repeat that is forgotten is only known that it counted before the newest.
			if receipt.Seq = repeats[0].Seq; receipt.Seq == 0 {
				receipt.Seq = next - 1
			}
			if repeats[0].Refused {
				err = flows.ErrDocumentTooLarge // it was when it came first
			}
			repeats = repeats[1:]
		case o.refusing:
			err = flows.ErrDocumentTooLarge
		default:
			next++
		}
		f.answer(&o.run[i], receipt, err)
	}
	if fresh > 0 && !o.refusing && len(got.Repeats) == 0 && got.Epoch == f.history.Epoch && got.First == f.history.Seq+1 {
		// Redis has it: so it is delivered, and held here, though its message may come late or never.
		f.update(o.update(f.hub.node, got))
	}
	f.runDone()
}

// update is the run as it was published.
func (o *outbox) update(node string, got session.Changed) *session.Update {
	u := &session.Update{Epoch: got.Epoch, First: got.First, At: got.At, Bytes: got.Bytes, Before: got.Before, Node: node, Run: o.number, Trace: o.span.Parent(), Changes: make([]session.Change, len(o.run))}
	for i := range o.run {
		c := &o.run[i]
		u.Changes[i] = session.Change{Member: c.num, ID: c.id, ClientID: c.clientID, Changes: string(c.changes())}
	}
	return u
}

// answerRun tells the members of the run under way, if the update is that, that it was carried out: its
// answer may come later, and their replies come before their updates. What is not in it was a repeat, of
// which the answer tells.
func (f *Flow) answerRun(u *session.Update) {
	o := &f.outbox
	if u.Node != f.hub.node || u.Run != o.number {
		return
	}
	i := 0
	for k := range u.Changes {
		c := &u.Changes[k]
		for i < len(o.run) && (o.run[i].num != c.Member || o.run[i].id != c.ID) {
			i++
		}
		if i == len(o.run) {
			return
		}
		f.answer(&o.run[i], flows.Receipt{Seq: u.First + uint64(k), Epoch: u.Epoch}, nil)
		i++
	}
}

// answerAll tells the members of the run that it failed. Where they are to send their changes again, what
// they sent behind those must not be carried out before: it would make the others look like repeats.
func (f *Flow) answerAll(err error) {
	o := &f.outbox
	for i := range o.run {
		f.answer(&o.run[i], flows.Receipt{}, err)
	}
	o.span.End(err)
	f.runDone()
	kept := o.waiting[:0]
	for i := range o.waiting {
		c := o.waiting[i]
		if c.id > 0 && c.member.again > 0 {
			f.answer(&c, flows.Receipt{}, err)
			continue
		}
		kept = append(kept, c)
	}
	clear(o.waiting[len(kept):])
	o.waiting, o.open = kept, 0
}

// answer tells a member the outcome of its change, once.
func (f *Flow) answer(c *change, receipt flows.Receipt, err error) {
	m := c.member
	if m == nil {
		return
	}
	c.member = nil
	switch {
	case c.id == 0:
	case err == nil:
		m.done = max(m.done, c.id)
	case errors.Is(err, flows.ErrUnavailable) && c.id > m.done && (m.again == 0 || c.id < m.again):
		m.again = c.id
	}
	f.outbox.open--
	f.outbox.bytes -= len(c.data)
	if err == nil {
		f.hub.Metrics.Changes.Inc()
	}
	if m.state == memberIn {
		m.Answered(c.tag(), receipt, err)
	}
	if c.span != nil {
		c.span.Number("seq", int64(receipt.Seq))
		c.span.End(err)
	}
}

// runDone forgets the run.
func (f *Flow) runDone() {
	o := &f.outbox
	o.span.End(nil)
	o.span, o.script = nil, nil
	clear(o.run)
	o.run = o.run[:0]
	o.open = 0
	o.space.Broadcast()
}

// refuseHeld answers what was held until Redis could be read, which it cannot.
func (o *outbox) refuseHeld(f *Flow, err error) {
	if !o.held {
		return
	}
	f.answerAll(err)
	o.run, o.waiting = o.waiting, nil
	f.answerAll(err)
	o.held = false
}

// forget gives up what was known of the run's fit: the document is another one.
func (o *outbox) forget() { o.fits = false }

// fail forgets everything after a failure of the flow; late answers find another number.
func (o *outbox) fail() {
	o.number++
	o.waiting, o.run, o.open, o.bytes, o.sending, o.held = nil, nil, 0, 0, false, false
	o.narrow, o.fits = false, false
	o.span, o.script = nil, nil
	o.body = session.Body{}
	o.space.Broadcast()
}

// stop lets nobody wait any more.
func (o *outbox) stop() {
	o.stopped = true
	o.space.Broadcast()
}
