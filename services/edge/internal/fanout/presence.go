package fanout

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"helix/shared/flows"
	"helix/shared/session"
)

// presence is what the flow's clients tell of themselves: what this edge's members told and Redis has yet
// to hear, and what Redis told of all. This edge knows the latter while members of its take part.
type presence struct {
	watching int // members that take part
	own      map[uint64]*ownPresence
	dirty    []uint64 // of own, in the order in which they changed
	telling  bool
	retry    time.Time // after a failure; zero: none

	known   bool
	version uint64
	all     map[presenceKey]shown
	reading bool
	stale   bool // something was missed: it is to be read
	// unchecked says that what members here tell is yet to be compared with what Redis has of them.
	unchecked bool

	told map[presenceKey]shown // what members were told, of those that changed since; the zero shown: not there
	owed bool                  // members are owed the whole
	last time.Time
	due  time.Time // when members are told; zero: nothing to tell
}

type ownPresence struct {
	clientID string
	meta     string // empty: it is gone
	dirty    bool
}

type presenceKey struct {
	node   string
	member uint64
}

type shown struct {
	clientID, meta string
	version        uint64
}

const retryPresence = 500 * time.Millisecond

// Present implements flows.Membership.
func (m *member) Present(meta []byte) {
	f, text := m.flow, string(meta)
	f.guard(func() {
		if m.state == memberIn && m.presence != "" {
			m.presence, m.unsigned = text, true
			f.show(m)
		}
	})
}

// show has the others told what a member tells of itself; the member is in.
func (f *Flow) show(m *member) {
	p := &f.presence
	if p.own == nil {
		p.own = map[uint64]*ownPresence{}
	}
	o := p.own[m.num]
	if o == nil {
		o = &ownPresence{clientID: m.clientID}
		p.own[m.num] = o
	}
	o.meta = m.presence
	f.soil(m.num, o)
}

// unshow has the others told that a member is gone.
func (f *Flow) unshow(m *member) {
	if m.presence == "" {
		return
	}
	p := &f.presence
	if p.watching--; p.watching == 0 {
		p.known, p.all, p.told, p.owed, p.due = false, nil, nil, false, time.Time{}
	}
	if o := p.own[m.num]; o != nil {
		o.meta = ""
		f.soil(m.num, o)
	}
}

func (f *Flow) soil(num uint64, o *ownPresence) {
	if !o.dirty {
		o.dirty = true
		f.presence.dirty = append(f.presence.dirty, num)
	}
	f.present()
}

// present tells Redis what it has yet to hear, and reads what is not known. One call each is under way at a
// time; what changes meanwhile goes with the next. The caller holds the lock.
func (f *Flow) present() {
	p := &f.presence
	if f.stopped || !f.live || !p.retry.IsZero() {
		return
	}
	if len(p.dirty) > 0 && !p.telling {
		f.tellPresence()
	}
	if p.watching > 0 && (!p.known || p.stale) && !p.reading {
		f.readPresence()
	}
}

// mostPresences bounds one call.
const mostPresences = 256

func (f *Flow) tellPresence() {
	p := &f.presence
	n := min(len(p.dirty), mostPresences)
	now := p.dirty[:n:n]
	p.dirty = slices.Clone(p.dirty[n:])
	clients := make([]session.Shown, 0, n)
	for _, num := range now {
		o := p.own[num]
		o.dirty = false
		clients = append(clients, session.Shown{Member: num, ClientID: o.clientID, Meta: o.meta})
	}
	p.telling = true
	run := f.runs
	f.store.Present(clients, func(before, version uint64, known bool, err error) {
		f.guard(func() {
			if run == f.runs && !f.stopped {
				f.presented(clients, before, version, known, err)
			}
		})
	})
}

// presented takes Redis's answer.
func (f *Flow) presented(clients []session.Shown, before, version uint64, known bool, err error) {
	p := &f.presence
	p.telling = false
	switch {
	case f.members.count == 0 && (err != nil || !known):
		p.own, p.dirty = nil, nil // Redis forgets them with this node's registration
	case err != nil || !known:
		for _, c := range clients {
			if o := p.own[c.Member]; o != nil && !o.dirty {
				o.dirty = true
				p.dirty = append(p.dirty, c.Member)
			}
		}
		if err == nil { // Redis does not know this node any more
			f.registering.wanted = true
			f.register()
		}
		p.retry = time.Now().Add(retryPresence)
		f.arm(p.retry)
	default:
		for i := range clients {
			clients[i].Node, clients[i].Version = f.hub.node, version
			if o := p.own[clients[i].Member]; o != nil && o.meta == "" && !o.dirty {
				delete(p.own, clients[i].Member)
			}
		}
		f.presenceStep(&session.Presence{Before: before, Version: version, Shown: clients})
	}
	if p.unchecked {
		f.checkOwn()
	}
	f.present()
	if f.done() {
		f.kick()
	}
}

func (f *Flow) readPresence() {
	p := &f.presence
	p.reading, p.stale = true, false
	run := f.runs
	f.store.Presences(func(all []session.Shown, version uint64, err error) {
		f.guard(func() {
			if run == f.runs && !f.stopped {
				f.presenceRead(all, version, err)
			}
		})
	})
}

// presenceRead takes all that Redis has.
func (f *Flow) presenceRead(all []session.Shown, version uint64, err error) {
	p := &f.presence
	p.reading = false
	if p.watching == 0 {
		return
	}
	if err != nil {
		p.stale = true
		p.retry = time.Now().Add(retryPresence)
		f.arm(p.retry)
		return
	}
	if p.known && version < p.version && version != 0 {
		return // what came over pub/sub meanwhile is newer
	}
	now := make(map[presenceKey]shown, len(all))
	for _, s := range all {
		now[presenceKey{s.Node, s.Member}] = shown{s.ClientID, s.Meta, s.Version}
	}
	for key := range p.all {
		if _, ok := now[key]; !ok {
			f.presenceSet(key, shown{})
		}
	}
	for key, s := range now {
		f.presenceSet(key, s)
	}
	p.known, p.version = true, version
	f.checkOwn()
	f.tellPresences(time.Now())
	f.present()
}

// checkOwn sees to it that Redis has what this edge's members tell: it may have thought this edge dead.
// What is being told right now is yet to come: then it is done with the answer.
func (f *Flow) checkOwn() {
	p := &f.presence
	if p.unchecked = p.telling || !p.known; p.unchecked {
		return
	}
	for num, o := range p.own {
		if s := p.all[presenceKey{f.hub.node, num}]; s.meta != o.meta && !o.dirty {
			o.dirty = true
			p.dirty = append(p.dirty, num)
		}
	}
	for key, s := range p.all {
		if key.node == f.hub.node && p.own[key.member] == nil {
			if p.own == nil {
				p.own = map[uint64]*ownPresence{}
			}
			p.own[key.member] = &ownPresence{clientID: s.clientID, dirty: true}
			p.dirty = append(p.dirty, key.member)
		}
	}
}

// presenceStep takes what Redis published, or answered: whichever comes first counts.
func (f *Flow) presenceStep(step *session.Presence) {
	p := &f.presence
	switch {
	case p.watching == 0 || !p.known || step.Version <= p.version:
		return
	case step.Before != p.version:
		p.stale = true
		f.present()
		return
	}
	p.version = step.Version
	for _, s := range step.Shown {
		if s.Meta == "" {
			f.presenceSet(presenceKey{s.Node, s.Member}, shown{})
		} else {
			f.presenceSet(presenceKey{s.Node, s.Member}, shown{s.ClientID, s.Meta, s.Version})
		}
	}
	if len(step.Gone) > 0 {
		for key := range p.all {
			if slices.Contains(step.Gone, key.node) {
				f.presenceSet(key, shown{})
			}
		}
		f.checkOwn() // it may be this edge that was thought dead
		f.present()
	}
	f.tellPresences(time.Now())
}

// presenceSet notes what a client tells now, and what members were told of it before.
func (f *Flow) presenceSet(key presenceKey, s shown) {
	p := &f.presence
	old := p.all[key]
	if old == s {
		return
	}
	if p.told == nil {
		p.told = map[presenceKey]shown{}
	}
	if _, noted := p.told[key]; !noted {
		p.told[key] = old
	}
	if p.all == nil {
		p.all = map[presenceKey]shown{}
	}
	if s.meta == "" {
		delete(p.all, key)
	} else {
		p.all[key] = s
	}
}

// presenceAt compares a version that a registration told with the one that is known.
func (f *Flow) presenceAt(version uint64) {
	p := &f.presence
	if p.watching > 0 && p.known && version != p.version && !p.telling {
		p.stale = true
	}
	f.present()
}

// tellPresences tells the members what is due: at once, then once per window, as with counts.
func (f *Flow) tellPresences(now time.Time) {
	p := &f.presence
	if !p.known || (len(p.told) == 0 && !p.owed) {
		p.due = time.Time{}
		return
	}
	if wait := p.last.Add(f.noticeWindow()); now.Before(wait) {
		if p.due != wait {
			p.due = wait
			f.arm(wait)
		}
		return
	}
	p.last, p.due = now, time.Time{}
	diff := f.presenceDiff()
	p.told, p.owed = nil, false
	for _, g := range f.members.groups {
		var changed, whole []byte
		for _, m := range g.members {
			switch {
			case m.presence == "":
			case m.lag != nil:
				m.owes |= owesPresence
			case m.owes&owesPresence != 0:
				m.owes &^= owesPresence
				if whole == nil {
					whole = g.encoding.AppendFrame(nil, f.presenceState())
				}
				m.Deliver(whole)
			case len(diff.Joins)+len(diff.Leaves) > 0:
				if changed == nil {
					changed = g.encoding.AppendFrame(nil, diff)
				}
				m.Deliver(changed)
			}
		}
	}
}

func (f *Flow) presenceState() flows.Event {
	e := flows.Event{Kind: flows.EventPresenceState, Flow: f.id, Joins: make([]flows.Presence, 0, len(f.presence.all))}
	for key, s := range f.presence.all {
		e.Joins = append(e.Joins, s.event(key))
	}
	slices.SortFunc(e.Joins, byClient)
	return e
}

func (f *Flow) presenceDiff() flows.Event {
	e := flows.Event{Kind: flows.EventPresenceDiff, Flow: f.id}
	for key, old := range f.presence.told {
		now := f.presence.all[key]
		if now == old {
			continue
		}
		if old.meta != "" {
			e.Leaves = append(e.Leaves, old.event(key))
		}
		if now.meta != "" {
			e.Joins = append(e.Joins, now.event(key))
		}
	}
	slices.SortFunc(e.Joins, byClient)
	slices.SortFunc(e.Leaves, byClient)
	return e
}

func byClient(a, b flows.Presence) int {
	return cmp.Or(cmp.Compare(a.ClientID, b.ClientID), cmp.Compare(a.Ref, b.Ref))
}

func (s shown) event(key presenceKey) flows.Presence {
	return flows.Presence{
		ClientID: s.clientID, Meta: s.meta,
		Ref: strconv.FormatUint(s.version, 36) + "." + strconv.FormatUint(key.member, 36),
	}
}
