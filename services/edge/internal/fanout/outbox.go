package fanout

import (
	"sync"

	"helix/shared/flows"
	"helix/shared/session"
)

// outbox is the members' changes on their way to Redis. One run of changes is under way at a time and
// the others gather behind it: so a sender's changes keep their order, and a hot flow costs one round
// trip per run, not per change.
type outbox struct {
	waiting []change
	run     []change // under way; nil: answered or none
	number  uint64   // of the run
	sending bool
	stopped bool
	bytes   int // of waiting and run
	space   sync.Cond
	body    session.Body
}

// change is one member's change; data holds the patch and, behind it, the tag.
type change struct {
	member *member
	data   []byte
	patch  int
}

func (c change) changes() []byte { return c.data[:c.patch] }
func (c change) tag() []byte     { return c.data[c.patch:] }

func (o *outbox) empty() bool { return len(o.waiting) == 0 && !o.sending }

// change takes a member's change. It waits while the flow has too many unanswered ones.
func (f *Flow) change(m *member, c flows.Change) {
	data := make([]byte, 0, len(c.Changes)+len(c.Tag))
	data = append(append(data, c.Changes...), c.Tag...)
	f.guard(func() {
		o := &f.outbox
		for o.bytes > f.hub.MaxUnanswered && m.state == memberIn && !o.stopped {
			o.space.Wait()
		}
		if m.state != memberIn || o.stopped {
			return // it was told that it is out
		}
		o.waiting = append(o.waiting, change{member: m, data: data, patch: len(c.Changes)})
		o.bytes += len(data)
		if !o.sending {
			f.send()
		}
	})
}

// send starts the next run. The caller holds the lock.
func (f *Flow) send() {
	o := &f.outbox
	o.sending = len(o.waiting) > 0
	if !o.sending {
		return
	}
	o.number++
	o.body.Start(f.hub.node, o.number)
	n := 0
	for n < len(o.waiting) && n < session.MaxRun && o.body.Size() < session.MaxRunBytes {
		c := o.waiting[n]
		o.body.Add(c.member.num, c.member.clientID, c.changes())
		n++
	}
	o.run = append(o.run[:0], o.waiting[:n]...)
	left := copy(o.waiting, o.waiting[n:])
	clear(o.waiting[left:])
	o.waiting = o.waiting[:left]
	number := o.number
	f.store.Change(o.body, func(got session.Changed, err error) {
		f.guard(func() { f.sent(number, got, err) })
	})
}

// sent takes Redis's answer to a run.
func (f *Flow) sent(number uint64, got session.Changed, err error) {
	o := &f.outbox
	if number != o.number || f.stopped {
		return
	}
	f.answer(got.Epoch, got.First, unavailable(err))
	if o.body.Size() > session.MaxRunBytes/4 {
		o.body = session.Body{} // a large one is not kept for flows that are mostly still
	}
	if err == nil {
		f.holdLease(got.Token)
		if !got.Counted && f.members.count > 0 {
			f.registering.wanted = true // Redis forgot us
			f.register()
		}
	}
	f.send()
	if f.done() {
		f.kick()
	}
}

// answer tells the members of the run under way what became of their changes: once, when Redis's
// answer comes or when the run itself comes back on the channel, whichever is first.
func (f *Flow) answer(epoch string, first uint64, err error) {
	o := &f.outbox
	if len(o.run) == 0 {
		return
	}
	for i, c := range o.run {
		o.bytes -= len(c.data)
		if c.member.state == memberIn {
			c.member.Answered(c.tag(), flows.Receipt{Seq: first + uint64(i), Epoch: epoch}, err)
		}
	}
	if err == nil {
		f.hub.Metrics.Changes.Add(float64(len(o.run)))
	}
	clear(o.run)
	o.run = o.run[:0]
	o.space.Broadcast()
}

// fail forgets everything after a failure of the flow; late answers find another number.
func (o *outbox) fail() {
	o.number++
	o.waiting, o.run, o.bytes, o.sending = nil, nil, 0, false
	o.body = session.Body{}
	o.space.Broadcast()
}

// stop lets nobody wait any more.
func (o *outbox) stop() {
	o.stopped = true
	o.space.Broadcast()
}
