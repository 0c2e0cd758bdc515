package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"sync"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/load"
)

// rollMember is one client of a rolling deploy: it comes back whenever it loses its edge, says where it
// was, and sends again what was not answered.
type rollMember struct {
	run   *rollRun
	id    string // client_id
	flow  string
	from  string
	hints bool // waits as the edge asks for, as Helix's own client does; else as phoenix.js does
	place *load.Place
	epoch string

	mu      sync.Mutex
	channel *client.Channel // nil: it has none now
	pending []uint64        // change ids that are not answered, in their order
	byRef   map[uint64]uint64
	lastID  uint64
	acked   []uint64
}

// phoenixWaits are reconnectAfterMs of the official client; after them 5 s.
var phoenixWaits = []time.Duration{10, 50, 100, 150, 200, 250, 500, 1000, 2000}

func (m *rollMember) wait(tries int, closed error) time.Duration {
	var frame *client.CloseError
	if m.hints && tries == 0 && errors.As(closed, &frame) {
		if found := comeBack.FindStringSubmatch(frame.Reason); found != nil {
			within, _ := strconv.Atoi(found[1])
			return rand.N(time.Duration(within)*time.Millisecond + 1)
		}
	}
	if tries < len(phoenixWaits) {
		return phoenixWaits[tries] * time.Millisecond
	}
	return 5 * time.Second
}

var comeBack = regexp.MustCompile(`within (\d+) ms$`)

// live is the member's life, until ctx ends. joined is called when it has its flow for the first time.
func (m *rollMember) live(ctx context.Context, joined func(error)) {
	var lost time.Time // when its connection ended
	var closed error
	for tries := 0; ctx.Err() == nil; {
		if !lost.IsZero() {
			wait(ctx, m.wait(tries, closed))
			tries++
		}
		c, x, err := m.join(ctx)
		if err != nil {
			m.run.turnedAway.Add(1)
			if lost.IsZero() {
				joined(err)
				return
			}
			continue
		}
		if lost.IsZero() {
			joined(nil)
		} else {
			m.run.back(time.Since(lost))
		}
		tries = 0
		hangUp := context.AfterFunc(ctx, func() { _ = c.Close() })
		m.sendAgain(c)
		closed = m.read(c)
		hangUp()
		lost = time.Now()
		m.mu.Lock()
		m.channel = nil
		m.mu.Unlock()
		_ = c.Close()
		m.run.balance.closed(x)
		if ctx.Err() == nil {
			m.run.ended.Add(1)
		}
	}
}

func (m *rollMember) join(ctx context.Context) (*client.Channel, *backend, error) {
	x, err := m.run.balance.open()
	if err != nil {
		return nil, nil, err
	}
	params := `{"sync":true,"client_id":"` + m.id + `"}`
	if m.place != nil {
		params = fmt.Sprintf(`{"resume":{"epoch":%q,"seq":%d},"client_id":"%s"}`, m.epoch, m.place.Seq(), m.id)
	}
	c, response, err := client.JoinWith(ctx, x.edge, m.flow, m.from, []byte(params), nil)
	if err == nil {
		err = m.take(response)
		if err != nil {
			_ = c.Close()
		}
	}
	if err != nil {
		m.run.balance.closed(x)
		return nil, nil, err
	}
	c.WriteTimeout = pushDeadline
	return c, x, nil
}

// take moves the member to where the answer to its join brings it.
func (m *rollMember) take(response []byte) error {
	a, err := client.ParseAnswer(response)
	if err != nil {
		return err
	}
	now := time.Since(m.run.began)
	switch {
	case m.place == nil:
		m.place = load.NewPlace(a.Seq)
	case a.Snapshot != nil:
		m.place.Take(load.News{Kind: load.Sync, Seq: a.Snapshot.Seq}, now)
	default:
		for _, change := range a.Changes {
			m.place.Take(load.News{Kind: load.Update, Seq: change.Seq}, now)
		}
	}
	m.epoch = a.Epoch
	if m.place.Seq() != a.Seq {
		m.place.Broken++ // the answer does not bring what it tells of
	}
	return nil
}

func (m *rollMember) read(c *client.Channel) error {
	for {
		frame, err := c.Read()
		if err != nil {
			return err
		}
		switch n := load.ReadNews(frame); n.Kind {
		case load.Answer, load.Refusal:
			ref, _ := strconv.ParseUint(string(bytes.Trim(n.Ref, `"`)), 10, 64)
			m.answered(ref, n)
		default:
			m.place.Take(n, time.Since(m.run.began))
		}
	}
}

// change sends the next change, now or, where there is no connection, with the next one.
func (m *rollMember) change() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastID++
	m.pending = append(m.pending, m.lastID)
	if m.channel != nil {
		m.push(m.lastID)
	}
}

// push sends a change; the reader finds out if that fails. The caller holds the lock.
func (m *rollMember) push(id uint64) {
	ref, err := m.channel.Call("flow_change", fmt.Appendf(nil, `{"change_id":%d,"changes":{"w":{"%s":{"%d":1}}}}`, id, m.id, id))
	if err == nil {
		m.byRef[ref] = id
	}
}

// sendAgain sends what the connection before left unanswered, and lets new changes through.
func (m *rollMember) sendAgain(c *client.Channel) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.channel, m.byRef = c, map[uint64]uint64{}
	for _, id := range m.pending {
		m.push(id)
	}
}

// answered takes an answer. What is refused is sent again with all that follows it: in this load a refusal
// can only be a passing one.
func (m *rollMember) answered(ref uint64, n load.News) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.byRef[ref]
	if !ok {
		return
	}
	delete(m.byRef, ref)
	if n.Kind == load.Refusal {
		m.run.refused.Add(1)
		clear(m.byRef)
		for _, id := range m.pending {
			m.push(id)
		}
		return
	}
	for i, waiting := range m.pending {
		if waiting == id {
			m.pending = append(m.pending[:i], m.pending[i+1:]...)
			m.acked = append(m.acked, id)
			return
		}
	}
}

func (m *rollMember) unanswered() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pending)
}
