package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/judge"
	"helix/bench/internal/load"
)

// stage is one flow with a document, and a client that writes it. What is loaded on it joins and leaves.
type stage struct {
	target target
	flow   string
	from   string // the address that clients come from
	nodes  int
	author *client.Channel
	epoch  string
	seq    uint64 // of the author's newest change
	count  int    // of the author's moves
}

// authorWindow is how many changes the author sends without waiting for an answer.
const authorWindow = 256

// quietly joins without hearing one's own changes.
var quietly = []byte(`{"echo":false}`)

// openStage makes the flow with its document.
func openStage(ctx context.Context, t target, flow string, nodes int) (*stage, error) {
	s := &stage{target: t, flow: flow, from: loopbackNet() + "1", nodes: nodes}
	var response []byte
	var err error
	if s.author, response, err = client.JoinWith(ctx, t.edges[0], flow, s.from, quietly, nil); err != nil {
		return nil, err
	}
	joined, err := client.ParseAnswer(response)
	if err == nil {
		s.epoch = joined.Epoch
		parts := load.Document(nodes)
		err = s.write(len(parts), func(i int) []byte { return parts[i] })
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("write the document: %w", err)
	}
	return s, nil
}

func (s *stage) close() { _ = s.author.Close() }

// move has the author move nodes, as fast as it gets answers.
func (s *stage) move(n int) error {
	from := s.count
	s.count += n
	return s.write(n, func(i int) []byte { return load.Move(s.nodes, from+i) })
}

func (s *stage) write(n int, changes func(i int) []byte) error {
	for sent, answered := 0, 0; answered < n; {
		for sent < n && sent-answered < authorWindow {
			if err := s.author.Push("flow_change", changePayload(changes(sent))); err != nil {
				return err
			}
			sent++
		}
		_ = s.author.SetReadDeadline(time.Now().Add(answerTimeout))
		e, err := s.author.Next()
		if err != nil {
			return err
		}
		if e.Failed != nil {
			return fmt.Errorf("change %d of %d: %w", answered+1, n, e.Failed)
		}
		if e.Ref > 0 {
			answered++
			s.seq = max(s.seq, e.Seq)
		}
	}
	return nil
}

const answerTimeout = 20 * time.Second

func changePayload(changes []byte) []byte {
	return append(append(append(make([]byte, 0, len(changes)+12), `{"changes":`...), changes...), '}')
}

// join is one member of the stage's flow more, the nth.
func (s *stage) join(ctx context.Context, nth int, params []byte, pace *client.Pace) (*client.Channel, []byte, error) {
	return client.JoinWith(ctx, s.target.edges[nth%len(s.target.edges)], s.flow, s.from, params, pace)
}

// resumeFrom is the parameters of a client that was there at a seq.
func (s *stage) resumeFrom(seq uint64) []byte {
	return []byte(`{"resume":{"epoch":` + strconv.Quote(s.epoch) + `,"seq":` + strconv.FormatUint(seq, 10) + `}}`)
}

// fingerprint tells documents apart, however they are written.
type fingerprint [sha256.Size]byte

func fingerprintOf(t judge.Tree) fingerprint { return sha256.Sum256([]byte(judge.Text(t))) }

// document is what a fresh joiner gets.
func (s *stage) document(ctx context.Context) (judge.Tree, uint64, error) {
	c, response, err := s.join(ctx, 0, []byte(`{"sync":true}`), nil)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = c.Close() }()
	a, err := client.ParseAnswer(response)
	if err != nil {
		return nil, 0, err
	}
	if a.Snapshot == nil {
		return nil, 0, fmt.Errorf("the answer to a join with sync has no document: %.200s", response)
	}
	t, err := judge.Parse(a.Snapshot.Document)
	return t, a.Snapshot.Seq, err
}
