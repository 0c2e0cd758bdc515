package fanout

import (
	"time"

	"helix/shared/flows"
	"helix/shared/session"
)

// notice is what the members are yet to be told of the count. The first change is told at once; what
// follows within the window is told once at its end, with the newest count, so that a storm of n
// joins does not cost n² deliveries.
type notice struct {
	joined, left bool
	last         time.Time // when the members were told
	due          time.Time // when they are told again; zero: nothing to tell
}

// counted takes the count that came with this edge's own registration. The same step published it:
// whichever comes first is told, the other is not newer.
func (f *Flow) counted(got session.Registered, fresh []*member) {
	switch {
	case got.Number == 0:
	case got.Version > f.version:
		// In a step in which nothing changed, a version that is newer comes from a message that was lost.
		f.notice.joined = f.notice.joined || got.More || got.Total > f.count
		f.notice.left = f.notice.left || got.Fewer || got.Total < f.count
		f.version, f.count = got.Version, got.Total
		f.tellNotice(time.Now())
	case len(fresh) > 0 && !f.notice.joined: // the message was faster: the others have heard it
		for _, m := range fresh {
			if m.group == nil { // its answer waits for the document
				m.owes |= owesJoined
				continue
			}
			m.Deliver(m.group.encoding.AppendFrame(nil, f.countEvent(flows.EventClientJoined)))
		}
	}
}

// countMessage takes a count that Redis published.
func (f *Flow) countMessage(c *session.Count) {
	f.heard = *c
	if c.Epoch != f.sessionEpoch || c.Number != f.number {
		// Of a session that this edge is not counted in yet, or no more. Its own registration settles
		// that; where it has members and none is on its way, it is due.
		if f.members.count > 0 && (c.Epoch != f.sessionEpoch || c.Number > f.number) {
			f.registering.wanted = true
			f.register()
		}
		return
	}
	if c.Version <= f.version {
		return
	}
	f.version, f.count = c.Version, c.Total
	f.notice.joined = f.notice.joined || c.Joined
	f.notice.left = f.notice.left || c.Left
	f.tellNotice(time.Now())
}

// tellNotice tells what is due. The caller holds the lock.
func (f *Flow) tellNotice(now time.Time) {
	n := &f.notice
	if !n.joined && !n.left {
		n.due = time.Time{}
		return
	}
	if f.members.count == 0 {
		*n = notice{last: n.last}
		return
	}
	if wait := n.last.Add(f.noticeWindow()); now.Before(wait) {
		if n.due != wait { // the window grows with the members
			n.due = wait
			f.arm(wait)
		}
		return
	}
	joined, left := n.joined, n.left
	*n = notice{last: now}
	if joined {
		f.members.broadcast(f.countEvent(flows.EventClientJoined), owesJoined)
	}
	if left {
		f.members.broadcast(f.countEvent(flows.EventClientLeft), owesLeft)
	}
}

// noticeWindow grows with the members, so that however fast many clients join and leave, telling each
// other costs a flow no more than membersPerWindow deliveries per NoticeWindow on this edge, up to a
// window that is mostWindows as long: a count older than that would look wrong.
func (f *Flow) noticeWindow() time.Duration {
	return f.hub.NoticeWindow * time.Duration(min(1+f.members.count/membersPerWindow, mostWindows))
}

const (
	membersPerWindow = 50
	mostWindows      = 10
)

// payOwed tells a member what it is owed.
func (f *Flow) payOwed(m *member, owes owed) {
	m.owes = owes & owesPresence
	if m.owes != 0 {
		f.presence.owed = true
		f.tellPresences(time.Now())
	}
	if owes&owesJoined != 0 {
		m.Deliver(m.group.encoding.AppendFrame(nil, f.countEvent(flows.EventClientJoined)))
	}
	if owes&owesLeft != 0 {
		m.Deliver(m.group.encoding.AppendFrame(nil, f.countEvent(flows.EventClientLeft)))
	}
}

func (f *Flow) countEvent(kind flows.EventKind) flows.Event {
	return flows.Event{Kind: kind, Flow: f.id, ClientCount: f.count}
}
