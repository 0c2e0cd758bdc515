package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/judge"
)

// Behaviour is what kind of client a peer is.
type Behaviour struct {
	Name    string
	Follows bool          // joins with sync and resume; else it is a plain client of the original
	Edge    int           // the only one that it joins on, directly; -1: any, through what may fail
	Rate    float64       // changes a second; 0: it only reads
	Window  int           // changes that it sends without an answer
	Burst   int           // changes that it sends at once; 0: one
	Pad     int           // bytes of text in each change
	Fills   bool          // its flow's document is full at times: a change that does not fit is dropped
	Slow    int           // bytes a second that it reads; 0: as fast as can be
	Stays   time.Duration // between its spells offline, in the mean; 0: always
	Away    time.Duration // a spell offline, in the mean
	Fresh   bool          // it comes back as one that was never there
	Leaves  bool          // it says so when it goes; else it is just gone
	Present bool          // it takes part in presence, and signals
}

// Peer is one client of a flow, across all its connections.
type Peer struct {
	Behaviour
	flow   *Flow
	random *rand.Rand
	pace   *client.Pace
	scribe *scribe

	// Guarded by flow.mu.
	reader     *judge.Reader
	presence   *judge.Presence // of this connection
	told       int             // what it tells of itself
	connection int
	in         bool
	count      int // of clients, as it was told last
	unacked    []*pending
}

// Add gives a flow a client.
func (f *Flow) Add(b Behaviour, seed uint64) {
	p := &Peer{Behaviour: b, flow: f, random: rand.New(rand.NewPCG(seed, 1)), reader: judge.NewReader(b.Name, b.Follows, f.history)}
	if b.Slow > 0 {
		p.pace = &client.Pace{}
	}
	if b.Rate > 0 {
		f.history.Writer(b.Name, b.Follows)
		p.scribe = &scribe{name: b.Name, random: rand.New(rand.NewPCG(seed, 2)), exact: b.Follows, arrays: !b.Follows, pad: b.Pad}
	}
	f.peers = append(f.peers, p)
}

const (
	joinTimeout = 3 * time.Second
	pingEvery   = 500 * time.Millisecond
	pongWithin  = 2500 * time.Millisecond // else the connection is dead: it goes elsewhere
)

// run is the peer's life.
func (p *Peer) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		c, err := p.join(ctx)
		if err != nil {
			failures++
			sleep(ctx, time.Duration(p.random.Int64N(int64(min(50*time.Millisecond<<min(failures, 4), 500*time.Millisecond)))))
			continue
		}
		failures = 0
		away := p.live(ctx, c)
		if away && ctx.Err() == nil {
			if p.Fresh {
				p.flow.mu.Lock()
				p.reader.Forget()
				p.flow.mu.Unlock()
			}
			p.flow.world.rest(ctx, spell(p.random, p.Away))
		}
	}
}

func spell(random *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(min(random.ExpFloat64(), 4) * float64(mean))
}

// join opens a connection and takes the answer to the join.
func (p *Peer) join(ctx context.Context) (*client.Channel, error) {
	w := p.flow.world
	params := map[string]any{}
	p.flow.mu.Lock()
	if p.Present {
		params["presence"] = p.meta()
	}
	if p.Follows {
		params["client_id"], params["sync"] = p.id(), true
		if at := p.reader.At; at.Epoch != "" {
			params["resume"] = map[string]any{"epoch": at.Epoch, "seq": at.Seq}
		}
	}
	p.flow.mu.Unlock()
	addr := w.Direct[max(p.Edge, 0)]
	if p.Edge < 0 {
		addr = w.Edges[p.random.IntN(len(w.Edges))]
	}
	body, _ := json.Marshal(params)
	if p.pace != nil {
		p.pace.Set(0) // it is slow once it is in
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	c, response, err := client.JoinWith(ctx, "ws://"+addr, p.flow.ID, "", body, p.pace)
	var refused *client.RefusedError
	if errors.As(err, &refused) && refused.Reason != "unavailable" {
		p.violate(judge.Refused, fmt.Sprintf("its join was refused with %q", refused.Reason))
	}
	if err != nil {
		return nil, err
	}
	c.WriteTimeout = joinTimeout
	answer, err := client.ParseAnswer(response)
	if err != nil {
		p.violate(judge.Garbled, err.Error())
		_ = c.Close()
		return nil, err
	}
	p.joined(answer, addr)
	return c, nil
}

func (p *Peer) id() string { return p.flow.ID + "." + p.Name }

func (p *Peer) joined(a client.Answer, addr string) {
	f, stats := p.flow, &p.flow.world.Stats
	f.mu.Lock()
	defer f.mu.Unlock()
	to := judge.Position{Epoch: a.Epoch, Seq: a.Seq}
	f.say(p.Name, fmt.Sprintf("joins through %s from %v, has", addr, p.reader.At), judge.Mark{}, to)
	stats.Connects.Add(1)
	p.in, p.count = true, a.ClientCount
	p.connection++
	p.presence = judge.NewPresence(p.Name)
	switch {
	case a.Snapshot != nil:
		stats.Syncs.Add(1)
		if a.Snapshot.Seq != a.Seq {
			f.check(&judge.Violation{Kind: judge.Garbled, Who: p.Name, Epoch: a.Epoch, Seq: a.Seq, What: fmt.Sprintf("the snapshot in the answer is at %d", a.Snapshot.Seq)})
		}
		f.check(p.reader.Snapshot(to, a.Snapshot.Document))
	case a.Resumed:
		stats.Resumes.Add(1)
		missed := make([]judge.Missed, len(a.Changes))
		for i, c := range a.Changes {
			missed[i] = judge.Missed{Seq: c.Seq, Changes: c.Changes}
		}
		f.check(p.reader.Resumed(to, missed))
	default:
		f.check(p.reader.Joined(to))
	}
}

func (p *Peer) violate(kind, what string) {
	p.flow.mu.Lock()
	defer p.flow.mu.Unlock()
	p.flow.check(&judge.Violation{Kind: kind, Who: p.Name, What: what})
}

// live is one connection. It says whether the peer went by itself.
func (p *Peer) live(ctx context.Context, c *client.Channel) (away bool) {
	l := &life{Peer: p, channel: c, events: make(chan client.Event, 64), ended: make(chan error, 1)}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // live waits for it
		defer close(done)
		for {
			e, err := c.Next()
			if err != nil {
				l.ended <- err
				return
			}
			select {
			case l.events <- e:
			case <-stop:
				return
			}
		}
	}()
	away, err := l.run(ctx)
	close(stop)
	_ = c.Close()
	<-done
	f := p.flow
	f.mu.Lock()
	defer f.mu.Unlock()
	p.in = false
	if err == nil {
		f.say(p.Name, "goes", judge.Mark{}, p.reader.At)
	} else {
		f.say(p.Name, "is cut off: "+err.Error(), judge.Mark{}, p.reader.At)
		p.judgeEnd(err)
	}
	if !p.Follows { // what a plain client has no answer to, it gives up
		f.world.Stats.Unknown.Add(int64(len(p.unacked)))
		p.unacked = nil
	}
	return away
}

// judgeEnd looks at why a connection ended. The caller holds the lock.
func (p *Peer) judgeEnd(err error) {
	var closed *client.CloseError
	var network net.Error
	switch {
	case errors.As(err, &closed):
		switch closed.Code {
		case 1013:
			p.flow.world.Stats.TooSlow.Add(1)
		case 1001, 1006, 1012:
		default:
			p.flow.check(&judge.Violation{Kind: judge.Refused, Who: p.Name, What: err.Error()})
		}
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, errSilent), errors.Is(err, errChannelEnded):
	default:
		p.flow.check(&judge.Violation{Kind: judge.Garbled, Who: p.Name, What: err.Error()})
	}
}

var (
	errSilent       = errors.New("the edge does not answer")
	errChannelEnded = errors.New("the channel ended")
)
