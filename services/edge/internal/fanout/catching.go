package fanout

import (
	"helix/shared/flows"
	"helix/shared/session"
	"helix/shared/telemetry"
)

// catching is a member that has its place and waits for what its join's answer is to hold: the
// document, or what it missed. However many wait, Redis is read once for all of them.
type catching struct {
	member *member
	got    session.Registered
	count  int
	asked  bool // the log was read for it
	waited bool // others were told of counts meanwhile
}

// let lets a member in that has a place, now or when what it asked for is here.
func (f *Flow) let(m *member, count int, got session.Registered) {
	if m.clientID == "" {
		m.clientID = newClientID()
	}
	f.nextNum++
	m.num = f.nextNum
	if !m.follows {
		f.welcome(m, count, got, flows.Joined{})
		return
	}
	f.following++
	f.catching = append(f.catching, catching{member: m, got: got, count: count})
	f.letCatching()
	if f.content.doc == nil && f.history.known() {
		f.repair() // for the day on which Redis forgets it, or the member lags
	}
}

// letCatching lets in who waits and can be told what it asked for, and sees to it that what the others
// wait for is read.
func (f *Flow) letCatching() {
	if len(f.catching) == 0 {
		return
	}
	waiting := f.catching[:0]
	missing := false
	for i := range f.catching {
		c := f.catching[i]
		if c.member.state != memberWaiting { // it left
			f.following--
			f.left++
			f.registering.wanted = true
			continue
		}
		if j, ok := f.catchUp(&c); ok {
			if c.waited {
				c.member.owes |= owesJoined
			}
			f.welcome(c.member, c.count, c.got, j)
			continue
		}
		missing, c.waited = true, true
		waiting = append(waiting, c)
	}
	clear(f.catching[len(waiting):])
	f.catching = waiting
	if missing {
		f.repair()
	} else {
		f.register()
	}
}

// catchUp makes what a member's answer holds, if it can be made now.
func (f *Flow) catchUp(c *catching) (j flows.Joined, ok bool) {
	h := &f.history
	if c.got.Epoch == h.Epoch && h.Seq < c.got.Seq {
		return j, false // Redis had more when it admitted the member than came here yet
	}
	if r := c.member.resume; r.Epoch != "" && r.Epoch == h.Epoch {
		updates, behind := h.behind(r.Seq)
		if behind {
			j.Resumed = true
			j.Missed = missed(updates, r.Seq)
			return j, true
		}
		if !c.asked {
			return j, false
		}
	}
	if f.content.doc == nil {
		return j, false
	}
	j.Document = f.documentJSON()
	return j, true
}

func missed(updates []*session.Update, after uint64) (list []flows.Numbered) {
	for _, u := range updates {
		for i := range u.Changes {
			if seq := u.First + uint64(i); seq > after {
				list = append(list, flows.Numbered{Seq: seq, Changes: u.Changes[i].Changes})
			}
		}
	}
	return list
}

// welcome tells a member that it is in; from now on it gets what comes.
func (f *Flow) welcome(m *member, count int, got session.Registered, j flows.Joined) {
	f.members.add(m)
	j.Membership, j.ClientID, j.ClientCount, j.Epoch, j.Seq, j.StartedAt = m, m.clientID, count, f.history.Epoch, f.history.Seq, got.Started
	m.Joined(j)
	if m.presence != "" {
		f.presence.watching++
		m.owes |= owesPresence
		f.show(m)
	}
	f.payOwed(m, m.owes)
	f.emit(telemetry.EventClientJoined, m.clientID, count)
}

// leastResume is the lowest seq that somebody resumes from and for which the log was not read yet; it
// counts as asked for from now on.
func (f *Flow) leastResume() (seq uint64, some bool) {
	for i := range f.catching {
		c := &f.catching[i]
		r := c.member.resume
		if c.asked || r.Epoch != f.history.Epoch {
			continue
		}
		c.asked = true
		if !some || r.Seq < seq {
			seq, some = r.Seq, true
		}
	}
	return seq, some
}

// needed is the oldest seq behind which recent updates are still needed.
func (f *Flow) needed() uint64 {
	least := f.history.Seq
	if f.repairing.underWay { // its answer goes up to there
		least = min(least, f.repairing.asked.Seq)
	}
	for i := range f.catching {
		if r := f.catching[i].member.resume; r.Epoch == f.history.Epoch {
			least = min(least, r.Seq)
		}
	}
	return least
}

// refuseCatching turns away who waits for the document. Their places are given back.
func (f *Flow) refuseCatching(err error) {
	for _, c := range f.catching {
		f.following--
		f.left++
		f.registering.wanted = true
		if c.member.state == memberWaiting {
			c.member.state = memberOut
			c.member.Refused(err)
		}
	}
	f.catching = nil
}
