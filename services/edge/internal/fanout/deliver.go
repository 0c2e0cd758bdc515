package fanout

import (
	"time"

	"helix/shared/flows"
	"helix/shared/session"
)

// Message implements lanes.Handler: what Redis published on the flow's channel.
func (f *Flow) Message(payload string) {
	m, err := session.ParseMessage(payload)
	if err != nil {
		f.hub.Log.Error("cannot read a message of the flow", "flow", f.id, "error", err)
		return
	}
	f.guard(func() {
		switch {
		case m.Update != nil:
			f.received(m.Update)
		case m.Count != nil:
			f.countMessage(m.Count)
		case m.Presence != nil:
			f.presenceStep(m.Presence)
		case m.Signals != nil:
			f.signalled(m.Signals)
		case m.End != nil:
			f.endMessage(m.End)
		case m.Restored != "" && f.history.known() && m.Restored != f.history.Epoch:
			f.repair()
		case m.Vacant:
			if f.token == 0 && f.members.count > 0 {
				f.registering.wanted = true
				f.register()
			}
		}
	})
}

// Resubscribed implements lanes.Handler: counts and changes may have come unheard, and Redis may have
// forgotten this edge. The registration's answer tells.
func (f *Flow) Resubscribed() {
	f.guard(func() {
		if f.members.count > 0 {
			f.registering.wanted = true
			f.register()
		}
	})
}

// update takes a run of changes that was published, whether or not it is the next one.
func (f *Flow) update(u *session.Update) {
	f.answerRun(u)
	h := &f.history
	switch {
	case !h.known():
		h.hold(u)
	case u.Epoch != h.Epoch:
		h.hold(u)
		f.repair()
	case u.Last() <= h.Seq:
		if u.At.After(h.At) { // these seqs were given once before: Redis lost its newest changes
			f.repair()
		}
	case u.First > h.Seq+1:
		f.hub.Metrics.Gaps.Inc()
		h.hold(u)
		f.repair()
	case u.First <= h.Seq || h.isOther(u):
		f.repair() // it is read again, with what it follows on
	default:
		f.deliver(u)
		if len(h.ahead) > 0 && h.ahead[0].Epoch == h.Epoch && h.ahead[0].First <= h.Seq+1 {
			for _, held := range h.release() {
				f.update(held)
			}
		}
	}
}

// deliver gives the members an update that follows on the newest.
func (f *Flow) deliver(u *session.Update) {
	span := f.delivering(u)
	known := f.history.Seq
	f.history.take(u)
	f.keeping.fresh = true
	f.settle()
	f.lagging.miss(f, u, known)
	deliveries, delivered := 0, 0
	for _, g := range f.members.groups {
		frames := f.frames(g.encoding, u, known)
		for _, m := range g.members {
			if m.lag != nil {
				continue
			}
			if m.noEcho && u.Node == f.hub.node {
				f.deliverWithoutEcho(m, u, known)
				continue
			}
			f.give(m, frames, u, known)
			delivered += len(frames)
		}
		deliveries += len(g.members) * len(u.Changes)
	}
	f.hub.Metrics.DeliveryLag.Observe(max(0, time.Since(u.At).Seconds()))
	f.hub.Metrics.Deliveries.Add(float64(deliveries))
	f.hub.Metrics.DeliveredBytes.Add(float64(delivered))
	f.delivered(span, u, delivered)
	if len(f.catching) > 0 {
		f.letCatching()
	}
}

// frames encodes the changes of a run that come after a seq, one frame behind the other.
func (f *Flow) frames(e flows.Encoding, u *session.Update, after uint64) []byte {
	size := 0
	for i := range u.Changes {
		size += len(u.Changes[i].Changes) + frameOverhead + len(f.id)
	}
	frames := make([]byte, 0, size)
	for i := range u.Changes {
		if seq := u.First + uint64(i); seq > after {
			frames = e.AppendFrame(frames, f.event(u, i))
		}
	}
	return frames
}

// frameOverhead is about what an update's frame has beside its changes and the flow's id.
const frameOverhead = 192

func (f *Flow) event(u *session.Update, i int) flows.Event {
	c := &u.Changes[i]
	return flows.Event{
		Kind: flows.EventUpdate, Flow: f.id, Timestamp: u.At.Unix(), Changes: c.Changes,
		Seq: u.First + uint64(i), Epoch: u.Epoch, ClientID: c.ClientID,
	}
}

// deliverWithoutEcho leaves a member's own changes out.
func (f *Flow) deliverWithoutEcho(m *member, u *session.Update, known uint64) {
	var frames []byte
	for i := range u.Changes {
		if u.First+uint64(i) > known && u.Changes[i].Member != m.num {
			frames = m.group.encoding.AppendFrame(frames, f.event(u, i))
		}
	}
	if len(frames) > 0 {
		f.give(m, frames, u, known)
	}
}

// give hands an update to a member, or notes that it missed it.
func (f *Flow) give(m *member, frames []byte, u *session.Update, known uint64) {
	switch {
	case !m.follows:
		m.Deliver(frames)
	case f.syncOwed: // which brings it
	case !m.Offer(frames):
		f.lag(m, u, known)
	}
}

// endMessage: somebody, or the leaseholder, ended a session on purpose.
func (f *Flow) endMessage(e *session.End) {
	f.endedEpoch, f.endedNumber = e.Epoch, e.Number
	if e.Epoch != f.sessionEpoch || e.Number < f.number || f.number == 0 {
		return
	}
	why := flows.EndDeleted
	if e.Idle {
		why = flows.EndIdle
	}
	f.sessionEnded(why, e.At)
}

// sessionEnded takes the members of the session out. Who is joining now joins the next one.
func (f *Flow) sessionEnded(why flows.End, at time.Time) {
	f.number, f.sessionEpoch, f.version, f.count, f.left = 0, "", 0, 0, 0
	f.notice = notice{}
	f.runs++
	f.presence, f.signals = presence{}, signals{} // Redis forgot them with the session
	if f.token != 0 {
		f.oweVersion()
	}
	f.dropLease()
	f.registering.due = time.Time{}
	if why == flows.EndDeleted {
		f.members.broadcast(flows.Event{Kind: flows.EventDeleted, Flow: f.id, Timestamp: at.Unix()}, 0)
	}
	f.end(why)
	for _, c := range f.catching { // they are for the session to come
		if c.member.state == memberWaiting {
			f.joining = append(f.joining, c.member)
			f.registering.wanted = true
		}
	}
	f.catching, f.following = nil, 0
	f.outbox.space.Broadcast()
	if f.done() {
		f.kick()
	}
}
