package actors

import (
	"context"
	"fmt"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/judge"
)

// life is one connection of a peer. What it has is of its goroutine alone; the peer's is guarded by the flow.
type life struct {
	*Peer
	channel *client.Channel
	events  chan client.Event
	ended   chan error

	answers map[uint64]*pending // sent on this connection, by ref
	pong    time.Time           // when the last ping was answered
	pingRef uint64              // of a ping that is not
	again   time.Time           // when what was refused for now is sent again; zero: nothing was
	next    time.Time           // when the next change is due
	telling telling
}

// run lives until the connection ends, the peer goes, or the context does.
func (l *life) run(ctx context.Context) (away bool, err error) {
	l.answers, l.pong = map[uint64]*pending{}, time.Now()
	l.next = time.Now().Add(l.gap())
	var leave time.Time
	if l.Stays > 0 {
		leave = time.Now().Add(spell(l.random, l.Stays))
	}
	if err := l.sendAgain(false); err != nil {
		return false, err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	pinged := time.Now()
	for {
		busy, turned := l.flow.world.mood()
		if l.pace != nil {
			l.pace.Set(map[bool]int{true: l.Slow}[busy])
		}
		now := time.Now()
		switch {
		case busy && !leave.IsZero() && now.After(leave):
			return true, l.goAway()
		case now.Sub(pinged) >= pingEvery:
			pinged = now
			if err := l.ping(now, busy); err != nil {
				return false, err
			}
		}
		if err := l.write(now, busy); err != nil {
			return false, err
		}
		if err := l.tell(now, busy); err != nil {
			return false, err
		}
		timer.Reset(l.wait(busy, pinged, leave))
		select {
		case <-ctx.Done():
			return false, l.goAway()
		case e := <-l.events:
			if err := l.take(e); err != nil {
				return false, err
			}
		case err := <-l.ended:
			return false, l.drain(err)
		case <-turned:
		case <-timer.C:
		}
	}
}

// wait says when there is something to do, if nothing comes.
func (l *life) wait(busy bool, pinged, leave time.Time) time.Duration {
	due := pinged.Add(pingEvery)
	sooner := func(t time.Time, counts bool) {
		if counts && !t.IsZero() && t.Before(due) {
			due = t
		}
	}
	sooner(l.again, true)
	sooner(l.telling.again, true)
	sooner(leave, busy)
	sooner(l.next, busy && l.Rate > 0)
	sooner(l.telling.next, busy && l.Present)
	return max(time.Until(due), time.Millisecond)
}

// drain takes what had come before the connection ended.
func (l *life) drain(end error) error {
	for {
		select {
		case e := <-l.events:
			if err := l.take(e); err != nil {
				return err
			}
		default:
			return end
		}
	}
}

func (l *life) goAway() error {
	if l.Leaves {
		_ = l.channel.Push("phx_leave", []byte("{}")) // it goes anyway
	}
	return nil
}

// ping finds out whether the edge is there. A slow reader has its answer behind all that it did not read.
func (l *life) ping(now time.Time, busy bool) (err error) {
	if l.pingRef == 0 {
		l.pong = now
		l.pingRef, err = l.channel.Call("ping", []byte("{}"))
		return err
	}
	switch {
	case l.Slow > 0 && busy:
		l.pong = now
	case now.Sub(l.pong) > pongWithin:
		return errSilent
	}
	return nil
}

func (l *life) gap() time.Duration {
	if l.Rate == 0 {
		return time.Hour
	}
	return time.Duration(l.random.ExpFloat64() * float64(max(l.Burst, 1)) * float64(time.Second) / l.Rate)
}

// write sends what is due.
func (l *life) write(now time.Time, busy bool) error {
	if l.Rate == 0 {
		return nil
	}
	f := l.flow
	if !l.again.IsZero() {
		if now.Before(l.again) {
			return nil
		}
		l.again = time.Time{}
		return l.sendAgain(true)
	}
	if !busy || now.Before(l.next) {
		return nil
	}
	l.next = now.Add(l.gap())
	for range max(l.Burst, 1) {
		f.mu.Lock()
		if len(l.unacked) >= l.Window {
			f.mu.Unlock()
			return nil
		}
		c := l.scribe.next(f.phase)
		l.unacked = append(l.unacked, c)
		f.world.Stats.Changes.Add(1)
		f.mu.Unlock()
		if err := l.send(c); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) send(c *pending) (err error) {
	f := l.flow
	f.mu.Lock()
	f.history.Sent(c.mark)
	c.sends++
	c.refused = false
	what := "sends"
	if c.sends > 1 {
		what = "sends again"
		f.world.Stats.Repeats.Add(1)
	}
	f.say(l.Name, what, c.mark, judge.Position{})
	f.mu.Unlock()
	c.ref, err = l.channel.Call("flow_change", c.payload)
	l.answers[c.ref] = c
	return err
}

// sendAgain sends what is not acknowledged, in order: all of it after a join, and otherwise what was
// refused for now with all that was sent behind it.
func (l *life) sendAgain(refused bool) error {
	l.flow.mu.Lock()
	all := append([]*pending(nil), l.unacked...)
	l.flow.mu.Unlock()
	if refused {
		for len(all) > 0 && !all[0].refused {
			all = all[1:]
		}
	}
	for _, c := range all {
		if err := l.send(c); err != nil {
			return err
		}
	}
	return nil
}

// take takes what came.
func (l *life) take(e client.Event) error {
	f, stats := l.flow, &l.flow.world.Stats
	f.mu.Lock()
	defer f.mu.Unlock()
	p := judge.Position{Epoch: e.Epoch, Seq: e.Seq}
	switch e.Name {
	case "phx_reply":
		l.answered(e)
	case "flow_update":
		stats.Deliveries.Add(1)
		l.updated(e, p)
	case "flow_catchup":
		stats.Catchups.Add(1)
		f.say(l.Name, fmt.Sprintf("gets a catch-up from %d", e.FromSeq), judge.Mark{}, p)
		patches := make([][]byte, len(e.Patches))
		for i := range e.Patches {
			patches[i] = e.Patches[i]
		}
		if !l.Follows {
			f.check(&judge.Violation{Kind: judge.Garbled, Who: l.Name, Epoch: p.Epoch, Seq: p.Seq, What: "a plain client got a flow_catchup"})
			return nil
		}
		f.check(l.reader.Caught(e.FromSeq, p, patches))
	case "flow_sync":
		stats.Syncs.Add(1)
		f.say(l.Name, fmt.Sprintf("gets a sync, was at %v, is", l.reader.At), judge.Mark{}, p)
		if !l.Follows {
			f.check(&judge.Violation{Kind: judge.Garbled, Who: l.Name, Epoch: p.Epoch, Seq: p.Seq, What: "a plain client got a flow_sync"})
			return nil
		}
		f.check(l.reader.Snapshot(p, e.Document))
	case "presence_state":
		f.check(l.presence.State(e.Payload))
	case "presence_diff":
		f.check(l.presence.Diff(e.Payload))
	case "signal":
		l.signalled(e)
	case "client_joined", "client_left":
		l.count = e.ClientCount
	case "phx_error", "phx_close":
		if e.Name == "phx_error" {
			stats.Errors.Add(1)
		}
		return errChannelEnded
	}
	return nil
}

// updated takes a change. The caller holds the lock.
func (l *life) updated(e client.Event, p judge.Position) {
	f := l.flow
	if e.ClientID == "" && !l.Follows { // nobody here changes a flow without saying who he is
		f.say(l.Name, fmt.Sprintf("gets the document as an update, was at %v, is", l.reader.At), judge.Mark{}, p)
		t, err := judge.Parse(e.Changes)
		if err == nil {
			err = f.history.Document(l.Name, p, t)
		}
		l.reader.Replaced(p)
		f.check(err)
		return
	}
	if t, err := judge.Parse(e.Changes); err == nil {
		m, _ := judge.MarkOf(t)
		f.say(l.Name, "sees", m, p)
		for _, c := range l.answers {
			if c.mark == m && c.sends == 1 && !c.refused {
				f.check(&judge.Violation{Kind: judge.Disorder, Who: l.Name, Mark: m, Epoch: p.Epoch, Seq: p.Seq, What: "it saw its own change before it had the answer"})
			}
		}
	}
	f.check(l.reader.Update(p, e.Changes))
}

// answered takes a reply. The caller holds the lock.
func (l *life) answered(e client.Event) {
	f, stats := l.flow, &l.flow.world.Stats
	if e.Ref == l.pingRef && l.pingRef != 0 {
		l.pingRef = 0
		return
	}
	if e.Ref == l.telling.ref && e.Ref != 0 {
		l.presenceAnswered(e)
		return
	}
	c := l.answers[e.Ref]
	delete(l.answers, e.Ref)
	if c == nil {
		return
	}
	open := -1
	for i := range l.unacked {
		if l.unacked[i] == c {
			open = i
		}
	}
	switch {
	case e.Failed == nil:
		f.say(l.Name, "has its answer", c.mark, judge.Position{Seq: e.Seq})
		f.history.Acked(c.mark, "", e.Seq)
		f.tookOne()
		if open >= 0 {
			stats.Acked.Add(1)
			l.unacked = append(l.unacked[:open], l.unacked[open+1:]...)
		}
		l.scribe.clean = max(l.scribe.clean, f.phase)
	case e.Failed.Reason == "unavailable" || e.Failed.Reason == "rate_limited":
		stats.Refused.Add(1)
		f.say(l.Name, "is refused for now: "+e.Failed.Reason, c.mark, judge.Position{})
		switch {
		case open < 0 || e.Ref != c.ref: // it went again already
		case !l.Follows: // a plain client gives it up
			stats.Unknown.Add(1)
			l.unacked = append(l.unacked[:open], l.unacked[open+1:]...)
		default:
			c.refused = true
			if l.again.IsZero() {
				l.again = time.Now().Add(50*time.Millisecond + time.Duration(l.random.Int64N(int64(150*time.Millisecond))))
			}
		}
	case e.Failed.Reason == "document_too_large" && l.Fills:
		stats.TooLarge.Add(1)
		f.say(l.Name, "is refused for good: "+e.Failed.Reason, c.mark, judge.Position{})
		if open >= 0 {
			f.history.RefusedForGood(c.mark)
			l.unacked = append(l.unacked[:open], l.unacked[open+1:]...)
		}
	default:
		f.check(&judge.Violation{Kind: judge.Refused, Who: l.Name, Mark: c.mark, What: e.Failed.Error()})
	}
}
