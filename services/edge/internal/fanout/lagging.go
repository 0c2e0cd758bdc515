package fanout

import (
	"sync"

	"helix/shared/document"
	"helix/shared/flows"
	"helix/shared/session"
)

// lagging is the members that do not keep up. What they miss is composed, once for all of them: whoever
// is anywhere within a run of changes may be caught up by the whole run (document.Run). There are two
// runs at most: new laggers join the young one, and when it grew long it becomes the old one, which ends
// with the last of its members. So one member that is stuck does not make the others' run long.
type lagging struct {
	young, old *lag
	drained    drained
}

// lag is a run of changes that some members miss.
type lag struct {
	run     document.Run
	from    uint64 // the seq before its first change
	members int
	// tooLong: the document itself is shorter; members get that.
	tooLong bool

	frames map[flows.Encoding][]byte // of the run, while it is at seq
	seq    uint64
}

// owed is what a lagging member is told in its newest form, once it is caught up.
type owed uint8

const (
	owesJoined   owed = 1 << iota // the count, because clients came
	owesLeft                      // the count, because clients went
	owesPresence                  // what all clients tell of themselves
)

// longRun is how many changes a run has before new laggers get one of their own.
const longRun = 512

// drained is the members that took what waited for them; it has a lock of its own, for they are told
// from the sockets' side.
type drained struct {
	mu      sync.Mutex
	members []*member
}

// Drained implements flows.Membership.
func (m *member) Drained() {
	d := &m.flow.lagging.drained
	d.mu.Lock()
	d.members = append(d.members, m)
	d.mu.Unlock()
	m.flow.kick()
}

// again puts a member back that could not be caught up now.
func (d *drained) again(m *member) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.members = append(d.members, m)
}

func (d *drained) take() []*member {
	d.mu.Lock()
	defer d.mu.Unlock()
	members := d.members
	d.members = nil
	return members
}

// miss composes an update into the runs of who lags; after is the seq that was delivered before.
func (l *lagging) miss(f *Flow, u *session.Update, after uint64) {
	for _, r := range []*lag{l.young, l.old} {
		if r != nil {
			r.add(f, u, after)
		}
	}
}

func (r *lag) add(f *Flow, u *session.Update, after uint64) {
	if r.tooLong {
		return
	}
	for i := range u.Changes {
		if u.First+uint64(i) > after {
			_ = r.run.Add([]byte(u.Changes[i].Changes)) // what cannot be applied is left out everywhere
		}
	}
	if r.run.Len() > longRun && f.content.doc != nil && r.run.Size() > f.content.doc.Size() {
		r.run, r.tooLong = document.Run{}, true
	}
}

// lag puts a member down that did not take an update; after is the seq that it has.
func (f *Flow) lag(m *member, u *session.Update, after uint64) {
	l := &f.lagging
	if l.young == nil {
		l.young = &lag{from: after}
		l.young.add(f, u, after)
	}
	f.hub.Metrics.Lagging.Inc()
	m.lag = l.young
	m.lag.members++
}

// unlag forgets a member that lagged.
func (f *Flow) unlag(m *member) {
	l, r := &f.lagging, m.lag
	if r == nil {
		return
	}
	f.hub.Metrics.Lagging.Dec()
	m.lag, m.owes = nil, 0
	if r.members--; r.members > 0 {
		return
	}
	if l.young == r {
		l.young = nil
	}
	if l.old == r {
		l.old = nil
	}
}

// serveLagging catches those up that can take it now.
func (f *Flow) serveLagging() {
	for _, m := range f.lagging.drained.take() {
		if m.state == memberIn && m.lag != nil {
			f.serve(m)
		}
		if m.state == memberIn && m.lag == nil {
			m.paySignals()
		}
	}
	if l := &f.lagging; l.old == nil && l.young != nil && (l.young.tooLong || l.young.run.Len() > longRun) {
		l.old, l.young = l.young, nil
	}
}

// serve catches a member up.
func (f *Flow) serve(m *member) {
	r, owes := m.lag, m.owes
	if r.tooLong && f.content.doc == nil {
		f.repair() // goOn serves it
		f.lagging.drained.again(m)
		return
	}
	if r.seq != f.history.Seq {
		r.frames, r.seq = nil, f.history.Seq
	}
	encoding := m.group.encoding
	frame := r.frames[encoding]
	if frame == nil {
		e := r.event(f)
		if r.tooLong {
			e = f.syncEvent()
		}
		frame = encoding.AppendFrame(nil, e)
		if r.frames == nil {
			r.frames = map[flows.Encoding][]byte{}
		}
		r.frames[encoding] = frame
	}
	m.CatchUp(frame)
	f.hub.Metrics.Catchups.Inc()
	f.unlag(m)
	f.payOwed(m, owes)
}

func (r *lag) event(f *Flow) flows.Event {
	patches := r.run.AppendPatches(nil)
	if len(patches) == 0 {
		patches = append(patches, []byte("{}"))
	}
	return flows.Event{Kind: flows.EventCatchup, Flow: f.id, Epoch: f.history.Epoch, FromSeq: r.from, Seq: f.history.Seq, Patches: patches}
}

// replaced: the document is another one. Who lags gets that.
func (l *lagging) replaced() {
	for _, r := range []*lag{l.young, l.old} {
		if r != nil {
			*r = lag{members: r.members, tooLong: true}
		}
	}
}
