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
			f.update(m.Update)
		case m.Count != nil:
			f.countMessage(m.Count)
		case m.End != nil:
			f.endMessage(m.End)
		case m.Vacant:
			if f.token == 0 && f.members.count > 0 {
				f.registering.wanted = true
				f.register()
			}
		}
	})
}

// Resubscribed implements lanes.Handler: the count may have changed unheard, and Redis may have
// forgotten this edge.
func (f *Flow) Resubscribed() {
	f.guard(func() {
		if f.members.count > 0 {
			f.registering.wanted = true
			f.register()
		}
	})
}

// update delivers a run of changes.
func (f *Flow) update(u *session.Update) {
	if u.Node == f.hub.node && u.Run == f.outbox.number {
		f.answer(u.Epoch, u.First, nil) // the senders' replies come before their updates
	}
	if u.Epoch != f.epoch {
		f.newEpoch(u.Epoch)
	} else if u.First > f.seq+1 {
		f.hub.Metrics.Gaps.Inc()
	}
	newest := u.First + uint64(len(u.Changes)) - 1
	if u.Epoch == f.epoch && newest <= f.seq {
		return // it came twice
	}
	f.capture(u)
	known := f.seq
	f.seq = newest
	whole := u.First > known
	deliveries, delivered := 0, 0
	for _, g := range f.members.groups {
		var frames []byte
		if whole {
			frames = f.frames(g.encoding, u, newest-uint64(len(u.Changes)))
		}
		for _, m := range g.members {
			if !whole || m.from >= u.First || (m.noEcho && u.Node == f.hub.node) {
				f.deliverTo(m, u, true)
				continue
			}
			m.Deliver(frames)
			delivered += len(frames)
		}
		deliveries += len(g.members) * len(u.Changes)
	}
	f.hub.Metrics.Deliveries.Add(float64(deliveries))
	f.hub.Metrics.DeliveredBytes.Add(float64(delivered))
}

// newEpoch: Redis counts anew, and everybody's counting is over.
func (f *Flow) newEpoch(epoch string) {
	f.epoch, f.seq = epoch, 0
	for _, g := range f.members.groups {
		for _, m := range g.members {
			m.from = 0
		}
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

// deliverTo gives one member what it is to have of a run: nothing that it had when it joined and, if it
// wants no echo, nothing of its own. echoes says that the member may have sent some of the run.
func (f *Flow) deliverTo(m *member, u *session.Update, echoes bool) {
	var frames []byte
	own := echoes && m.noEcho && u.Node == f.hub.node
	for i := range u.Changes {
		if u.First+uint64(i) <= m.from || (own && u.Changes[i].Member == m.num) {
			continue
		}
		frames = m.group.encoding.AppendFrame(frames, f.event(u, i))
	}
	if len(frames) > 0 {
		m.Deliver(frames)
	}
}

// capture keeps a run for those who are joining now.
func (f *Flow) capture(u *session.Update) {
	r := &f.registering
	if !r.underWay || len(r.batch) == 0 || r.overflow {
		return
	}
	for i := range u.Changes {
		r.bytes += len(u.Changes[i].Changes)
	}
	if r.bytes > maxCaptured {
		r.overflow, r.captured = true, nil
		return
	}
	r.captured = append(r.captured, *u)
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
	f.dropLease()
	f.registering.due = time.Time{}
	if why == flows.EndDeleted {
		f.members.broadcast(flows.Event{Kind: flows.EventDeleted, Flow: f.id, Timestamp: at.Unix()})
	}
	f.end(why)
	f.outbox.space.Broadcast()
	if f.done() {
		f.kick()
	}
}
