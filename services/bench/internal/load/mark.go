package load

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// Mark is what a change carries, so that each receiver can judge it alone.
type Mark struct {
	Writer int           // of the flow, from 0
	Number int           // of the writer's changes, from 0
	Sent   time.Duration // on the clock of the load generator
}

var before = []byte(`{"w":`)

// Changes makes a change with a mark, about size bytes long.
func (m Mark) Changes(size int) []byte {
	b := fmt.Appendf(nil, `{"w":%d,"n":%d,"t":%d,"node":{"position":{"x":%d,"y":%d}},"p":"`, m.Writer, m.Number, int64(m.Sent), m.Number%2000, m.Number%1000)
	for len(b) < size-2 {
		b = append(b, 'x')
	}
	return append(b, '"', '}')
}

// Find gives the mark in a frame and what stands behind it; ok is false where there is none.
func Find(frame []byte) (m Mark, rest []byte, ok bool) {
	i := bytes.Index(frame, before)
	if i < 0 {
		return Mark{}, nil, false
	}
	rest = frame[i+len(before):]
	var sent int
	m.Writer, rest = digits(rest)
	m.Number, rest = digits(skip(rest, `,"n":`))
	sent, rest = digits(skip(rest, `,"t":`))
	m.Sent = time.Duration(sent)
	return m, rest, true
}

func skip(b []byte, prefix string) []byte { return b[min(len(prefix), len(b)):] }

func digits(b []byte) (n int, rest []byte) {
	i := 0
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		n = n*10 + int(b[i]-'0')
		i++
	}
	return n, b[i:]
}

var seqKey = []byte(`,"seq":`)

// Seq gives the seq of a flow_update; 0 where it has none.
func Seq(frame []byte) uint64 {
	i := bytes.LastIndex(frame, seqKey)
	if i < 0 {
		return 0
	}
	rest := frame[i+len(seqKey):]
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseUint(string(rest[:end]), 10, 64)
	return n
}

// Receiver judges what one client gets: each writer's changes in order, each once, and seqs without gaps.
type Receiver struct {
	next       []int
	seq        uint64
	Received   int
	Lost       int // numbers that were jumped over
	OutOfOrder int // numbers that came late or twice, and seqs that did not rise by one
}

// NewReceiver judges a flow with so many writers.
func NewReceiver(writers int) *Receiver { return &Receiver{next: make([]int, writers)} }

// Take takes a delivery; seq is 0 where the server gives none.
func (r *Receiver) Take(m Mark, seq uint64) {
	r.Received++
	if m.Writer >= len(r.next) {
		r.OutOfOrder++
		return
	}
	switch next := &r.next[m.Writer]; {
	case m.Number < *next:
		r.OutOfOrder++
	default:
		r.Lost += m.Number - *next
		*next = m.Number + 1
	}
	if seq != 0 {
		if r.seq != 0 && seq != r.seq+1 {
			r.OutOfOrder++
		}
		r.seq = seq
	}
}

// Finish counts what did not come at the end: sent is how many changes each writer sent.
func (r *Receiver) Finish(sent []int) {
	for w, n := range sent {
		r.Lost += max(n-r.next[w], 0)
	}
}
