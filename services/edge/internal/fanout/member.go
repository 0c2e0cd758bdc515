package fanout

import (
	"crypto/rand"

	"helix/shared/flows"
)

// member is one local client of a flow.
type member struct {
	flows.Member
	flow     *Flow
	clientID string
	noEcho   bool
	follows  bool           // it understands flow_sync and flow_catchup
	hears    bool           // it understands signals
	unsigned bool           // who it is may be news to Redis: told with its next change; guarded by flow.mu
	resume   flows.Position // where it wants to go on
	user     *flows.Author  // of its token; nil: not known

	// Guarded by flow.mu.
	state    memberState
	num      uint64              // the flow's number for it, told with its changes
	again    uint64              // the oldest change id that it must send again; 0: none
	done     uint64              // its newest change id that was carried out
	owes     owed                // the member is, once it is in or caught up
	lag      *lag                // what it misses; nil: it keeps up
	presence string              // what it tells of itself; empty: it takes no part
	signed   *flows.Author       // that Redis was told; nil: nothing
	signals  map[signalOf][]byte // that it did not take: the newest of each kind
	group    *group
	index    int // in group.members
}

type memberState int

const (
	memberWaiting memberState = iota // for the registration that admits it
	memberIn
	memberOut
)

// Change implements flows.Membership.
func (m *member) Change(c flows.Change) { m.flow.change(m, c) }

// Leave implements flows.Membership.
func (m *member) Leave() { m.flow.leave(m) }

// group is the members that share an encoding: one frame serves them all.
type group struct {
	encoding flows.Encoding
	members  []*member
}

// roster is the members that are in.
type roster struct {
	groups []*group
	count  int
}

func (r *roster) add(m *member) {
	encoding := m.Encoding()
	for _, g := range r.groups {
		if g.encoding == encoding {
			m.group = g
			break
		}
	}
	if m.group == nil {
		m.group = &group{encoding: encoding}
		r.groups = append(r.groups, m.group)
	}
	m.index = len(m.group.members)
	m.group.members = append(m.group.members, m)
	m.state = memberIn
	r.count++
}

func (r *roster) remove(m *member) {
	g := m.group
	last := len(g.members) - 1
	g.members[m.index] = g.members[last]
	g.members[m.index].index = m.index
	g.members[last] = nil
	g.members = g.members[:last]
	if cap(g.members) > 64 && last < cap(g.members)/4 {
		g.members = append(make([]*member, 0, 2*last), g.members...)
	}
	m.group = nil
	m.state = memberOut
	r.count--
	if last > 0 {
		return
	}
	for i, other := range r.groups {
		if other == g {
			r.groups = append(r.groups[:i], r.groups[i+1:]...)
			break
		}
	}
}

// clear takes all members out and gives them.
func (r *roster) clear() []*member {
	all := make([]*member, 0, r.count)
	for _, g := range r.groups {
		for _, m := range g.members {
			m.group, m.state = nil, memberOut
			all = append(all, m)
		}
	}
	*r = roster{}
	return all
}

// sync tells all members that the document is another one: those who do not understand that get it as
// an update. Those who lag are told when they are caught up.
func (r *roster) sync(e flows.Event) {
	for _, g := range r.groups {
		var frames [2][]byte
		for _, m := range g.members {
			if m.lag != nil {
				continue
			}
			kind, i := flows.EventUpdate, 0
			if m.follows {
				kind, i = flows.EventSync, 1
			}
			if frames[i] == nil {
				e.Kind = kind
				frames[i] = g.encoding.AppendFrame(nil, e)
			}
			if m.follows {
				m.CatchUp(frames[i])
			} else {
				m.Deliver(frames[i])
			}
		}
	}
}

// broadcast tells all members of an event. Those who lag are owed it, in its newest form; 0: they get it too.
func (r *roster) broadcast(e flows.Event, lagging owed) {
	for _, g := range r.groups {
		frame := g.encoding.AppendFrame(nil, e)
		for _, m := range g.members {
			if m.lag != nil && lagging != 0 {
				m.owes |= lagging
				continue
			}
			m.Deliver(frame)
		}
	}
}

// newClientID makes the id of a client that brought none.
func newClientID() string { return rand.Text()[:16] }
