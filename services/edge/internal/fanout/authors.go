package fanout

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"helix/shared/flows"
	"helix/shared/session"
)

// authors are the clients that changed a flow and the newest seq of each, as far as no version holds it.
// Every edge notes them as changes come, for any may come to hold the lease; who they are stands in Redis.
// Guarded by the flow's lock.
type authors map[string]*uint64

// maxNoted bounds them: past it the half is forgotten that was still for longest.
const maxNoted = 2 * mostAuthors

// note takes those of an update. What is known of a client already costs one look.
func (a *authors) note(u *session.Update) {
	for i := range u.Changes {
		id, seq := u.Changes[i].ClientID, u.First+uint64(i)
		if newest := (*a)[id]; newest != nil {
			*newest = max(*newest, seq)
			continue
		}
		if id == "" { // from HTTP, of somebody
			continue
		}
		if *a == nil {
			*a = authors{}
		}
		if len(*a) >= maxNoted {
			kept := a.newest()
			clear(*a)
			for i := range kept {
				(*a)[kept[i].clientID] = &kept[i].seq
			}
		}
		first := seq                     // a variable of its own: whose address is taken is allocated, each time
		(*a)[strings.Clone(id)] = &first // the id is a part of the message, which may be long
	}
}

// noted is a client and the newest seq of its changes; 0: of an epoch before.
type noted struct {
	clientID string
	seq      uint64
}

// newest gives the clients that changed something last, these first; it is never nil.
func (a authors) newest() []noted {
	all := make([]noted, 0, len(a))
	for id, seq := range a {
		all = append(all, noted{id, *seq})
	}
	slices.SortFunc(all, func(x, y noted) int {
		return cmp.Or(cmp.Compare(y.seq, x.seq), cmp.Compare(x.clientID, y.clientID))
	})
	return all[:min(len(all), mostAuthors)]
}

// forget lets go of those whose changes a version holds.
func (a authors) forget(seq uint64) {
	maps.DeleteFunc(a, func(_ string, newest *uint64) bool { return *newest <= seq })
}

// restart keeps them over an epoch's end: their seqs mean nothing in the next one.
func (a authors) restart() {
	for _, newest := range a {
		*newest = 0
	}
}

// signChange tells Redis who makes a change from outside a session, where that is known.
func (h *Hub) signChange(f *session.Flow, c *flows.Change) {
	if c.ClientID == "" || c.UserID == "" {
		return
	}
	f.NoteAuthor(flows.Author{ClientID: c.ClientID, UserID: c.UserID, Name: c.UserName}, func(err error) {
		if err != nil {
			h.Log.Warn("cannot note who changed a flow", "flow", f.ID(), "error", err)
		}
	})
}

// signChanges tells Redis once who a member is that changes the flow, where that is known. The caller holds
// the lock.
func (f *Flow) signChanges(m *member) {
	m.unsigned = false
	now := flows.Author{ClientID: m.clientID}
	if m.user != nil {
		now.UserID, now.Name = m.user.UserID, m.user.Name
	}
	if now.Name == "" {
		now.Name = flows.ProfileOf(m.clientID, []byte(m.presence)).Name
	}
	if (now.UserID == "" && now.Name == "") || (m.signed != nil && now == *m.signed) {
		return
	}
	m.signed = &now
	f.store.NoteAuthor(now, func(err error) {
		if err != nil {
			f.guard(func() { m.unsigned, m.signed = true, nil }) // with its next change
		}
	})
}
