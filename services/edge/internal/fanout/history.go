package fanout

import (
	"time"

	"helix/shared/session"
)

// history is what this edge knows of a flow's changes: where it is, the newest of them, and those that
// came before one that is missing. Guarded by the flow's lock.
type history struct {
	session.Held        // the newest change that was delivered; without an epoch nothing is known yet
	bytes        uint64 // of all changes of the epoch up to it, as session.Update counts them

	recent      []*session.Update // the newest, without gaps, the last at Position: for clients that resume
	recentBytes int
	ahead       []*session.Update // what came before what is missing, by seq
	aheadBytes  int

	authors  authors
	answered map[string]session.AnsweredChange // newest change ids, by client: for a Redis that forgets them
}

const (
	maxRecent      = 64 << 10 // bytes
	maxAhead       = 4 << 20  // bytes; past it the log is read for them
	maxAnswered    = 4096
	updateOverhead = 128 // bytes that an update takes beside its changes, about
)

func sizeOf(u *session.Update) int {
	size := updateOverhead
	for i := range u.Changes {
		size += updateOverhead/2 + len(u.Changes[i].Changes)
	}
	return size
}

// known says whether the edge knows where the flow is.
func (h *history) known() bool { return h.Epoch != "" }

// start puts the history to a position that Redis told; what was known before is forgotten.
func (h *history) start(p session.Held) {
	if p.Epoch != h.Epoch {
		h.authors.restart()
	}
	*h = history{Held: p, ahead: h.ahead, aheadBytes: h.aheadBytes, answered: h.answered, authors: h.authors}
}

// take notes an update that follows on the newest. What of it is not newer is noted too: runs are whole.
func (h *history) take(u *session.Update) {
	h.Seq, h.At, h.bytes = u.Last(), u.At, u.Bytes
	h.recent = append(h.recent, u)
	h.recentBytes += sizeOf(u)
	h.noteIDs(u)
}

// noteIDs remembers the change ids of an update, and whose changes they are.
func (h *history) noteIDs(u *session.Update) {
	h.authors.note(u)
	for i := range u.Changes {
		if c := &u.Changes[i]; c.ID > 0 {
			h.answer(c.ClientID, c.ID, u.At)
		}
	}
}

// reaches says whether what was read reaches up to the recent updates, with none missing between.
func (h *history) reaches(c *session.Content) bool {
	end := c.Seq0
	if n := len(c.Updates); n > 0 {
		end = c.Updates[n-1].Last()
	} else if c.Behind {
		end = c.Seq
	}
	first := h.Seq + 1
	if len(h.recent) > 0 {
		first = h.recent[0].First
	}
	return end+1 >= first
}

// departs says whether updates that were read, of the same epoch, are of another history than this one.
func (h *history) departs(updates []*session.Update) bool {
	for _, u := range updates {
		switch {
		case u.First <= h.Seq && u.Last() > h.Seq, u.First == h.Seq+1 && h.isOther(u):
			return true
		case u.Last() == h.Seq && !h.At.IsZero() && !u.At.Equal(h.At):
			return true
		}
	}
	return false
}

func (h *history) answer(client string, id uint64, at time.Time) {
	if h.answered == nil {
		h.answered = map[string]session.AnsweredChange{}
	}
	if len(h.answered) >= maxAnswered && h.answered[client].ID == 0 {
		for any := range h.answered { // Redis has them all; this is for the day on which it has none
			delete(h.answered, any)
			break
		}
	}
	h.answered[client] = session.AnsweredChange{ClientID: client, ID: max(id, h.answered[client].ID), At: at}
}

// isOther says that a run which is published as the next one follows on another history: Redis lost
// changes that this edge has, and was given others.
func (h *history) isOther(u *session.Update) bool {
	return !u.Before.IsZero() && !h.At.IsZero() && !u.Before.Equal(h.At)
}

// trim forgets the oldest recent updates over the bound, but none behind the seq that is still needed.
func (h *history) trim(needed uint64) {
	n := 0
	for n < len(h.recent) && h.recentBytes > maxRecent && h.recent[n].Last() <= needed {
		h.recentBytes -= sizeOf(h.recent[n])
		n++
	}
	if n > 0 {
		kept := copy(h.recent, h.recent[n:])
		clear(h.recent[kept:])
		h.recent = h.recent[:kept]
	}
}

// behind gives the recent updates that hold what came behind a seq; ok says that none is missing.
func (h *history) behind(seq uint64) (updates []*session.Update, ok bool) {
	if seq == h.Seq {
		return nil, true
	}
	for i, u := range h.recent {
		if u.Last() > seq {
			return h.recent[i:], u.First <= seq+1
		}
	}
	return nil, false
}

// hold keeps an update that came too early. It is dropped where too much waits: then it is read.
func (h *history) hold(u *session.Update) {
	size := sizeOf(u)
	if h.aheadBytes+size > maxAhead {
		return
	}
	at := len(h.ahead)
	for at > 0 && h.ahead[at-1].Epoch == u.Epoch && h.ahead[at-1].First > u.First {
		at--
	}
	h.ahead = append(h.ahead, nil)
	copy(h.ahead[at+1:], h.ahead[at:])
	h.ahead[at] = u
	h.aheadBytes += size
}

// release takes out what was held.
func (h *history) release() []*session.Update {
	held := h.ahead
	h.ahead, h.aheadBytes = nil, 0
	return held
}
