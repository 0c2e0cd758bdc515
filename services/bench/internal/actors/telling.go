package actors

import (
	"encoding/json"
	"fmt"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/judge"
)

// telling is what a peer says of itself to the others on one connection, and hears of them: presence and
// signals. Nothing of it outlives the connection but the newest meta.
type telling struct {
	next    time.Time
	ref     uint64    // of a presence_update that is not answered
	again   time.Time // when one that was refused is told again; zero: none was
	signals int
	heard   map[string]int // by connection of a sender: the newest signal
}

// meta is what the peer tells of itself now. The caller holds the lock.
func (p *Peer) meta() map[string]any { return map[string]any{"at": p.told} }

// presenceText is how the judge writes that.
func (p *Peer) presenceText() string {
	return judge.Text(map[string]any{"at": json.Number(fmt.Sprint(p.told))})
}

// tell says something new of the peer from time to time.
func (l *life) tell(now time.Time, busy bool) error {
	t := &l.telling
	if !t.again.IsZero() && now.After(t.again) {
		t.again = time.Time{}
		return l.tellPresence()
	}
	if !l.Present || !busy || now.Before(t.next) || t.ref != 0 {
		return nil
	}
	t.next = now.Add(time.Duration(l.random.ExpFloat64() * float64(700*time.Millisecond)))
	t.signals++
	signal := fmt.Sprintf(`{"type":"cursor","data":{"c":%q,"n":%d}}`, fmt.Sprintf("%s.%d", l.Name, l.connection), t.signals)
	if _, err := l.channel.Call("signal", []byte(signal)); err != nil {
		return err
	}
	l.flow.mu.Lock()
	l.told++
	l.flow.mu.Unlock()
	return l.tellPresence()
}

func (l *life) tellPresence() (err error) {
	l.flow.mu.Lock()
	meta, _ := json.Marshal(l.meta())
	l.flow.mu.Unlock()
	l.telling.ref, err = l.channel.Call("presence_update", meta)
	return err
}

// presenceAnswered takes the reply to a presence_update; one that was refused is told again.
func (l *life) presenceAnswered(e client.Event) {
	l.telling.ref = 0
	if e.Failed == nil {
		return
	}
	switch e.Failed.Reason {
	case "unavailable", "rate_limited":
		l.telling.again = time.Now().Add(300 * time.Millisecond)
	default:
		l.flow.check(&judge.Violation{Kind: judge.Refused, Who: l.Name, What: "its presence: " + e.Failed.Error()})
	}
}

// signalled takes a signal. Of one sender's connection they come in order, and never from oneself.
func (l *life) signalled(e client.Event) {
	f := l.flow
	var s struct {
		Data struct {
			C string
			N int
		}
		ClientID string `json:"client_id"`
	}
	if err := json.Unmarshal(e.Payload, &s); err != nil || s.Data.C == "" {
		f.check(&judge.Violation{Kind: judge.Garbled, Who: l.Name, What: fmt.Sprintf("a signal: %.200s", e.Payload)})
		return
	}
	f.world.Stats.Signals.Add(1)
	if s.Data.C == fmt.Sprintf("%s.%d", l.Name, l.connection) {
		f.check(&judge.Violation{Kind: judge.Garbled, Who: l.Name, What: "it heard its own signal"})
	}
	if l.telling.heard == nil {
		l.telling.heard = map[string]int{}
	}
	if before := l.telling.heard[s.Data.C]; s.Data.N <= before {
		if f.world.LateSignals {
			return
		}
		f.check(&judge.Violation{Kind: judge.Disorder, Who: l.Name, What: fmt.Sprintf("it heard the signal %d of %s after %d", s.Data.N, s.Data.C, before)})
	}
	l.telling.heard[s.Data.C] = s.Data.N
}

// presences says what is wrong with what the peers were told of each other; empty: nothing.
func (f *Flow) presences() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	there := map[string]string{}
	for _, p := range f.peers {
		if p.Present {
			there[p.id()] = p.presenceText()
		}
	}
	for _, p := range f.peers {
		if !p.Present {
			continue
		}
		if d := p.presence.Differs(there); d != "" {
			return fmt.Sprintf("%s: %s", p.Name, d)
		}
	}
	return ""
}
