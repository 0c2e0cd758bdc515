package fanout

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"helix/shared/flows"
	"helix/shared/session"
	"helix/shared/telemetry"
)

// registration is the state of telling Redis how many members this edge has. One call at a time:
// who joins or leaves meanwhile goes with the next, so that a storm costs few calls.
type registration struct {
	wanted   bool
	underWay bool
	run      uint64    // answers to an earlier run, from before a failure, are ignored
	due      time.Time // of the next renewal; zero: none
	failing  time.Time // since when calls fail; zero: they do not

	// Of the call that is under way.
	seq    uint64 // that this edge was at
	batch  []*member
	before int
	left   int
}

const retryRegister = 500 * time.Millisecond

// join takes a member in line; false: the flow is retired, and a new one must be asked.
func (f *Flow) join(m *member) (taken bool) {
	f.guard(func() {
		if taken = !f.retired; !taken {
			return
		}
		m.flow = f
		if f.stopped {
			m.state = memberOut
			m.Refused(flows.ErrUnavailable.Because(context.Canceled))
			return
		}
		f.joining = append(f.joining, m)
		f.registering.wanted = true
		f.register()
	})
	return taken
}

func (f *Flow) leave(m *member) {
	f.guard(func() {
		switch m.state {
		case memberWaiting: // whoever admits it finds it gone
			m.state = memberOut
			return
		case memberIn:
			f.unlag(m)
			f.unshow(m)
			f.members.remove(m)
			if m.follows {
				f.following--
			}
			f.left++
			f.registering.wanted = true
			f.emit(telemetry.EventClientLeft, m.clientID, max(f.count-f.left, 0))
			f.register()
		case memberOut:
		}
	})
}

// register starts a call to Redis if one is wanted and none is under way. The caller holds the lock.
func (f *Flow) register() {
	r := &f.registering
	if !r.wanted || r.underWay || f.repairing.writing || f.outbox.held || !f.live || f.retired || f.stopped {
		return
	}
	r.wanted, r.underWay = false, true
	r.batch, f.joining = still(f.joining), nil
	r.seq = f.history.Seq
	r.before, r.left = f.members.count+len(f.catching), f.left
	f.left = 0
	r.run++
	run := r.run
	f.store.Register(session.Registration{
		Wanted: r.before + len(r.batch), Before: r.before, Joined: len(r.batch), Left: r.left,
		Number: f.number, Held: f.heldAt(),
	}, func(got session.Registered, err error) {
		f.guard(func() { f.registered(run, got, err) })
	})
}

// still gives those who have not left while they waited.
func still(waiting []*member) []*member {
	kept := waiting[:0]
	for _, m := range waiting {
		if m.state == memberWaiting {
			kept = append(kept, m)
		}
	}
	clear(waiting[len(kept):])
	return kept
}

// registered takes Redis's answer.
func (f *Flow) registered(run uint64, got session.Registered, err error) {
	r := &f.registering
	if run != r.run || f.stopped {
		return
	}
	batch := r.batch
	r.underWay, r.batch = false, nil
	if err == nil && got.Number > 0 && got.Epoch == f.endedEpoch && got.Number <= f.endedNumber {
		err = session.ErrEnded // the news of its end was faster than this answer
	}
	var lost *session.LostError
	switch {
	case errors.As(err, &lost):
		f.joining = append(batch, f.joining...)
		f.left += r.left
		r.wanted = true
		if f.history.known() {
			f.outbox.held = true // until that is settled
			f.repair()
		}
	case errors.Is(err, session.ErrEnded):
		f.sessionEnded(flows.EndDeleted, time.Now())
		f.joining = append(batch, f.joining...)
		r.wanted = true
	case err != nil:
		f.notRegistered(batch, err)
	default:
		r.failing = time.Time{}
		f.admit(batch, got)
		if got.Total == 0 {
			f.oweVersion()
		}
		f.holdLease(got.Token)
		f.scheduleRenewal(got.Next)
		f.presenceAt(got.Presence)
	}
	f.register()
	if f.done() {
		f.kick()
	}
}

// notRegistered: the call failed. Who waits is refused; that members left is told later.
func (f *Flow) notRegistered(batch []*member, err error) {
	r := &f.registering
	f.left += r.left
	f.refuse(batch, flows.ErrUnavailable.Because(err))
	now := time.Now()
	if r.failing.IsZero() {
		r.failing = now
	}
	if f.members.count == 0 && now.Sub(r.failing) > f.hub.Store.Options().NodeTTL() {
		f.left, r.failing = 0, time.Time{} // Redis forgot this node's clients by itself
		return
	}
	r.due = now.Add(retryRegister + rand.N(retryRegister))
	f.arm(r.due)
}

// scheduleRenewal: at a third of the lease's TTL, and when another node's deadline comes, for its
// clients may then have to be taken out of the count.
func (f *Flow) scheduleRenewal(next time.Duration) {
	r := &f.registering
	if f.members.count+len(f.catching) == 0 {
		r.due = time.Time{}
		return
	}
	third := f.hub.Store.Options().LeaseTTL / 3
	wait := third - time.Duration(rand.Int64N(int64(third/8)+1)) // apart from the other flows
	if next >= 0 && next < wait {
		wait = next + 2*time.Millisecond
	}
	r.due = time.Now().Add(wait)
	f.arm(r.due)
}

// admit lets in those of the batch who got a place.
func (f *Flow) admit(batch []*member, got session.Registered) {
	if got.Number != f.number || got.Epoch != f.sessionEpoch {
		f.enter(got)
	}
	f.locate(got)
	places := got.Granted - f.registering.before
	count := got.Total - max(places, 0)
	var fresh []*member
	for _, m := range batch {
		switch {
		case m.state == memberOut: // it left while it waited; the next call says so
			if places > 0 {
				places--
				count++
				f.left++
				f.registering.wanted = true
			}
		case places <= 0:
			m.state = memberOut
			m.Refused(flows.ErrMaxClients)
		default:
			places--
			count++
			f.let(m, count, got)
			fresh = append(fresh, m)
		}
	}
	f.counted(got, fresh)
}

// locate compares where Redis is with where this edge is: what did not come is read.
func (f *Flow) locate(got session.Registered) {
	h := &f.history
	switch {
	case got.Epoch == "":
	case !h.known():
		h.start(session.Held{Position: session.Position{Epoch: got.Epoch, Seq: got.Seq}, At: got.At})
		for _, u := range h.release() {
			f.update(u)
		}
		if f.content.doc == nil && f.wantsDocument() {
			f.repair()
		}
	case got.Epoch != h.Epoch || got.Seq > h.Seq || got.Seq < f.registering.seq, got.Seq == h.Seq && !got.At.Equal(h.At):
		f.repair() // more is on its way, or was lost
	}
}

// enter takes up a session that this edge was not counted in before.
func (f *Flow) enter(got session.Registered) {
	f.number, f.sessionEpoch, f.version = got.Number, got.Epoch, 0
	if h := f.heard; h.Epoch == got.Epoch && h.Number == got.Number { // its message came before the answer
		f.version, f.count = h.Version, h.Total
		f.notice.joined = f.members.count > 0
	}
}

// refuse turns away members that wait. The caller holds the lock.
func (f *Flow) refuse(batch []*member, err error) {
	for _, m := range batch {
		if m.state == memberWaiting {
			m.state = memberOut
			m.Refused(err)
		}
	}
}

func (f *Flow) refuseWaiting(err error) {
	f.guard(func() {
		f.refuseCatching(err)
		f.refuse(f.takeJoining(), err)
		if f.members.count == 0 {
			f.registering.wanted, f.left = false, 0
		}
	})
}

// takeJoining gives everybody who waits, also those of a call under way.
func (f *Flow) takeJoining() []*member {
	waiting := slices.Concat(f.registering.batch, f.joining)
	f.registering.batch, f.joining = nil, nil
	return waiting
}

func (f *Flow) emit(name, clientID string, count int) {
	f.hub.Events.Emit(telemetry.Event{Name: name, Node: f.hub.node, Flow: string(f.id), ClientID: clientID, ClientCount: count})
}
