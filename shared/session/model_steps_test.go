package session_test

import (
	"maps"
	"slices"
	"time"

	"helix/shared/flows"
	"helix/shared/session"
)

// The steps of a session, as spec has them: one method for each script.

// lost: a node holds the document at a position that Redis has not, or has with another run. Where Redis
// is further on, the node is to find out for itself: each run tells the time of the one before.
func (s *spec) lost(held session.Held) error {
	now := s.newest()
	if held.Epoch != "" && (held.Epoch != now.Epoch || held.Seq > now.Seq || (held.Seq == now.Seq && isOther(held, now.At))) {
		return &session.LostError{Epoch: now.Epoch, Seq: now.Seq}
	}
	return nil
}

// isOther: the run that a node knows at its position is not the one with this time; a node may know none.
func isOther(known session.Held, at time.Time) bool {
	return !known.At.IsZero() && !known.At.Equal(at)
}

// begin gives the flow an epoch if it has none. Nothing that an epoch before left behind is of this one.
func (s *spec) begin(fresh string) *flowHead {
	if s.head == nil {
		s.head = &flowHead{epoch: fresh, size: 2, until: s.retained()}
		s.log, s.snapshot, s.answered, s.versions = nil, nil, nil, nil
	}
	return s.head
}

// takeLease gives the lease to a node if nobody has it.
func (s *spec) takeLease(node string) (token int64) {
	if s.lease == nil {
		s.head.fence++
		s.lease = &heldLease{node: node, token: s.head.fence, until: s.age + s.opts.LeaseTTL.Milliseconds()}
	}
	if s.lease.node == node {
		return s.lease.token
	}
	return 0
}

func (s *spec) holds(node string, token int64) bool {
	return s.lease != nil && s.lease.node == node && s.lease.token == token
}

// register: a node says how many clients it has or wants, in full.
func (s *spec) register(node string, r session.Registration, fresh string) (session.Registered, error) {
	if r.Number > 0 && s.head != nil && s.head.deleted != "" && s.head.deleted == r.Held.Epoch {
		return session.Registered{}, session.ErrEnded
	}
	if err := s.lost(r.Held); err != nil {
		return session.Registered{}, err
	}
	h := s.begin(fresh)
	if r.Number > 0 && r.Number <= h.closed {
		return session.Registered{}, session.ErrEnded // whatever epoch it was in
	}

	// Dead nodes go. Where Redis's clock fell behind, their deadlines follow it.
	before := openSession{}
	if s.session != nil {
		before = *s.session
	}
	nodeTTL := s.opts.NodeTTL().Milliseconds()
	alive, others, dead, next := map[string]nodeClients{}, 0, 0, int64(-1)
	for name, n := range before.nodes {
		if n.deadline < s.time {
			dead++
			continue
		}
		if n.deadline > s.time+2*nodeTTL {
			n.deadline = s.time + nodeTTL
		}
		alive[name] = n
		if name != node {
			others += n.clients
			if wait := n.deadline - s.time; next < 0 || wait < next {
				next = wait
			}
		}
	}

	// A place for each that is wanted, as far as there are places; who is in stays in.
	own := alive[node].clients
	granted := max(min(r.Wanted, s.opts.MaxClients-others), min(r.Before, r.Wanted))
	total := others + granted
	s.retain()
	if total == 0 {
		s.lease, s.session = nil, nil
		return session.Registered{Started: time.UnixMilli(0), Epoch: h.epoch, Seq: h.seq, At: h.at, Next: -1}, nil
	}
	if s.session == nil {
		h.sessions++
		s.session = &openSession{number: h.sessions, started: s.time, activity: s.time}
	}
	o := s.session
	o.nodes, o.until = alive, s.age+2*nodeTTL
	out := session.Registered{Granted: granted, Total: total, Number: o.number, Started: time.UnixMilli(o.started), Epoch: h.epoch, Seq: h.seq, At: h.at, Next: -1}
	if next >= 0 {
		out.Next = time.Duration(next) * time.Millisecond
	}
	if granted > 0 {
		o.nodes[node] = nodeClients{granted, s.time + nodeTTL}
		out.Token = s.takeLease(node)
	} else {
		delete(o.nodes, node)
		if s.lease != nil && s.lease.node == node { // a node without clients has no duties
			s.lease = nil
			s.told = append(s.told, session.Message{Vacant: true})
		}
	}
	if r.Joined > 0 || r.Left > 0 {
		o.activity = s.time
	}
	if granted != own || r.Joined > 0 || r.Left > 0 || dead > 0 {
		o.version++
		out.More = granted > r.Before || granted > own
		out.Fewer = r.Left > 0 || granted < own || dead > 0
		s.told = append(s.told, session.Message{Count: &session.Count{
			Epoch: h.epoch, Number: o.number, Version: o.version, Total: total, Joined: out.More, Left: out.Fewer,
		}})
	}
	out.Version = o.version
	return out, nil
}

// change: a run of changes of one node gets its seqs; what was answered before counts once.
func (s *spec) change(node string, run uint64, changes []session.Change, g session.Guard, fresh string) (session.Changed, error) {
	if err := s.lost(g.Held); err != nil {
		return session.Changed{}, err
	}
	h := &flowHead{epoch: fresh, size: 2}
	if s.head != nil {
		h = s.head
	} else {
		s.log, s.snapshot, s.answered, s.versions = nil, nil, nil, nil
	}
	newest := map[string]answeredID{}
	if s.answered != nil {
		newest = maps.Clone(s.answered.newest)
	}
	var news []session.Change
	var repeats []session.Repeat
	var size uint64
	ids := false
	for i, c := range changes {
		last := newest[c.ClientID]
		switch {
		case c.ID > 0 && c.ID == last.id:
			repeats = append(repeats, session.Repeat{Index: i, Seq: last.seq})
		case c.ID > 0 && c.ID < last.id:
			repeats = append(repeats, session.Repeat{Index: i})
		default:
			news = append(news, c)
			size += sizeOf(c)
			if c.ID > 0 {
				newest[c.ClientID] = answeredID{c.ID, h.seq + uint64(len(news))}
				ids = true
			}
		}
	}
	known := g.Fits && g.FitsAt == h.seq
	if g.Limit > 0 && len(news) > 0 && int64(h.bytes+size)+h.size > int64(g.Limit) && !known {
		return session.Changed{}, session.ErrFull
	}
	out := session.Changed{
		Epoch: h.epoch, First: h.seq + 1, At: time.UnixMilli(s.time), Before: h.at, Repeats: repeats,
		Unfolded: h.seq + uint64(len(news)) - h.folded, Bytes: h.bytes + size,
	}
	if s.session != nil {
		if _, out.Counted = s.session.nodes[node]; out.Counted {
			out.Token = s.takeLease(node)
		}
	}
	if len(news) == 0 {
		return out, nil
	}
	s.head = h
	h.seq += uint64(len(news))
	h.at, h.bytes = out.At, h.bytes+size
	h.history = append(h.history, news...)
	u := &session.Update{Epoch: h.epoch, First: out.First, At: out.At, Bytes: h.bytes, Before: out.Before, Node: node, Run: run, Changes: news}
	if s.log == nil {
		s.log = &flowLog{}
	}
	s.log.runs = append(s.log.runs, u)
	began := out.Before.IsZero() || s.answered == nil && ids || s.answered != nil && len(newest) > len(s.answered.newest)
	if ids {
		if s.answered == nil {
			s.answered = &answeredIDs{}
		}
		s.answered.newest = newest
	}
	if s.session != nil { // its registrations retain what is there
		s.session.activity = s.time
	}
	if s.session == nil || began {
		s.retain()
	}
	s.listed = true
	s.told = append(s.told, session.Message{Update: u})
	return out, nil
}

// renew: the holder keeps its lease, and learns for how long nothing has happened.
func (s *spec) renew(node string, token int64) (time.Duration, error) {
	if !s.holds(node, token) {
		return 0, session.ErrLeaseLost
	}
	s.lease.until = s.age + s.opts.LeaseTTL.Milliseconds()
	if s.session == nil {
		return 0, nil
	}
	return time.Duration(max(s.time-s.session.activity, 0)) * time.Millisecond, nil
}

// expire: the holder ends a session in which nothing happens.
func (s *spec) expire(node string, token int64) (bool, error) {
	if !s.holds(node, token) {
		return false, session.ErrLeaseLost
	}
	if s.session == nil || s.time-s.session.activity < s.opts.InactivityTimeout.Milliseconds() {
		return false, nil
	}
	s.end(true)
	return true, nil
}

// end closes the session on purpose: nobody comes back to it.
func (s *spec) end(idle bool) {
	s.told = append(s.told, session.Message{End: &session.End{
		Epoch: s.head.epoch, Number: s.session.number, At: time.UnixMilli(s.time), Idle: idle,
	}})
	s.head.closed = s.session.number
	s.retain()
	s.lease, s.session = nil, nil
}

// handBack: the holder gives its lease up.
func (s *spec) handBack(node string, token int64) {
	if s.holds(node, token) {
		s.lease = nil
		s.told = append(s.told, session.Message{Vacant: true})
	}
}

// fold: the holder writes the document at one seq and trims the log behind it; token 0: there is no holder.
func (s *spec) fold(node string, token int64, d session.Folded) (bool, error) {
	if vacant := s.lease == nil && token == 0; !vacant && !s.holds(node, token) {
		return false, session.ErrLeaseLost
	}
	h := s.head
	if h == nil || h.epoch != d.Epoch || h.seq < d.Seq || h.folded >= d.Seq || !s.hasRun(d.Held) {
		return false, nil
	}
	h.folded, h.size = d.Seq, int64(len(d.Document))-int64(d.Bytes)
	s.snapshot = &storedSnapshot{epoch: d.Epoch, seq: d.Seq, bytes: d.Bytes, document: string(d.Document)}
	keep := min(d.Seq+1, d.KeepFrom)
	if s.log != nil {
		s.log.runs = slices.DeleteFunc(s.log.runs, func(u *session.Update) bool { return u.Last() < keep })
	}
	s.retain()
	return true, nil
}

// hasRun: the log has this very run, which ends at the position.
func (s *spec) hasRun(held session.Held) bool {
	return s.log != nil && slices.ContainsFunc(s.log.runs, func(u *session.Update) bool { return u.Last() == held.Seq && u.At.Equal(held.At) })
}

// restore: a node puts the document back that Redis lost, if it finds what it found when it looked.
func (s *spec) restore(held, found session.Position, d session.Folded, answered []session.AnsweredChange, fresh string) (done bool) {
	if s.position() != found {
		return false
	}
	h := &flowHead{}
	if s.head != nil {
		h = s.head
	}
	*h = flowHead{
		epoch: fresh, size: int64(len(d.Document)), from: held, base: string(d.Document),
		deleted: h.deleted, sessions: h.sessions, closed: h.closed, fence: h.fence,
	}
	newest := map[string]answeredID{}
	if s.answered != nil {
		for client, a := range s.answered.newest {
			newest[client] = answeredID{id: a.id} // the seqs of another epoch say nothing in this one
		}
	}
	for _, a := range answered {
		newest[a.ClientID] = answeredID{id: max(a.ID, newest[a.ClientID].id)}
	}
	s.head, s.log, s.snapshot = h, nil, &storedSnapshot{epoch: fresh, document: string(d.Document)}
	if s.answered = nil; len(newest) > 0 {
		s.answered = &answeredIDs{newest: newest}
	}
	s.listed = true
	s.retain()
	s.told = append(s.told, session.Message{Restored: fresh})
	return true
}

// delete: the session ends, the document goes; that it was there is known, so nobody takes it for a loss.
func (s *spec) delete(fresh string) (existed bool, affected int) {
	open := s.session != nil
	affected = s.close()
	existed, s.listed = s.listed, false
	s.log, s.snapshot, s.answered, s.versions, s.authors = nil, nil, nil, nil, nil
	if h := s.head; h != nil && (open || existed) {
		*h = flowHead{epoch: fresh, size: 2, from: s.position(), deleted: h.epoch, sessions: h.sessions, closed: h.closed, fence: h.fence, until: s.retained()}
	}
	return existed, affected
}

// keep: the list of versions is another one, if it is still the one that its writer read; added is the document
// of its first version. number is the one that Redis gave it.
func (s *spec) keep(known uint64, list []flows.Version, gone []string, added *string, number uint64) (uint64, error) {
	v := &keptVersions{documents: map[string]string{}}
	if s.versions != nil {
		v = s.versions
	}
	switch now := s.position(); {
	case v.number != known:
		return 0, session.ErrMoved
	case added != nil && (now.Epoch != list[0].Epoch || now.Seq < list[0].Seq):
		return 0, session.ErrGone
	}
	v.number, v.list, v.until = max(v.number+1, number), list, s.retained()
	for _, id := range gone {
		delete(v.documents, id)
	}
	if added != nil {
		v.documents[list[0].ID] = *added
	}
	s.versions = v
	if s.authors != nil {
		s.authors.until = s.retained()
	}
	return v.number, nil
}

// noteAuthor: who changes the flow is known from now on.
func (s *spec) noteAuthor(a flows.Author) {
	if s.authors == nil {
		s.authors = &notedAuthors{known: map[string]flows.Author{}}
	}
	s.authors.known[a.ClientID], s.authors.until = a, s.retained()
}

// close: somebody ends the session on purpose.
func (s *spec) close() (affected int) {
	if s.session == nil {
		return 0
	}
	affected = s.clients()
	s.end(false)
	return affected
}

// clients of the nodes that are alive.
func (s *spec) clients() (total int) {
	for _, n := range s.session.nodes {
		if n.deadline >= s.time {
			total += n.clients
		}
	}
	return total
}

// status: what is known of the session. One whose nodes are all dead is not active.
func (s *spec) status() (active bool, clients int, started, activity time.Time) {
	if s.session == nil {
		return false, 0, time.Time{}, time.Time{}
	}
	if clients = s.clients(); clients == 0 {
		return false, 0, time.Time{}, time.Time{}
	}
	return true, clients, time.UnixMilli(s.session.started), time.UnixMilli(s.session.activity)
}

// read: the runs behind a position where the log reaches back to it, else the snapshot and those behind it;
// all that the log has, where the position is of another history, or further on than this one.
func (s *spec) read(behind session.Held) session.Content {
	if s.head == nil {
		return session.Content{}
	}
	c := session.Content{Held: s.newest(), From: s.head.from}
	if behind.Epoch == c.Epoch && behind.Seq > c.Seq {
		c.Forked, c.Updates = true, s.runsBehind(0)
		return c
	}
	if behind.Epoch == c.Epoch {
		runs := s.runsBehind(behind.Seq)
		if s.forked(behind, runs) {
			c.Forked, c.Updates = true, s.runsBehind(0)
			return c
		}
		if behind.Seq == c.Seq || (len(runs) > 0 && runs[0].First <= behind.Seq+1) {
			c.Behind, c.Updates = true, runs
			return c
		}
	}
	if s.snapshot != nil && s.snapshot.epoch == c.Epoch {
		c.Seq0, c.Bytes0, c.Document = s.snapshot.seq, s.snapshot.bytes, s.snapshot.document
	}
	c.Updates = s.runsBehind(c.Seq0)
	return c
}

// forked: the runs behind a position do not follow on the run that is known to end there.
func (s *spec) forked(known session.Held, runs []*session.Update) bool {
	switch {
	case known.Seq == s.head.seq:
		return isOther(known, s.head.at)
	case known.At.IsZero() || len(runs) == 0 || runs[0].First > known.Seq+1:
		return false
	}
	return runs[0].First <= known.Seq || isOther(known, runs[0].Before)
}

// runsBehind are those that hold something newer than a seq; runs come whole.
func (s *spec) runsBehind(seq uint64) (runs []*session.Update) {
	if s.log == nil {
		return nil
	}
	for _, u := range s.log.runs {
		if u.Last() > seq {
			runs = append(runs, u)
		}
	}
	return runs
}
