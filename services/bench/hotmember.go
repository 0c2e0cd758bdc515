package main

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/judge"
	"helix/bench/internal/load"
	"helix/shared/phoenix"
)

// hotMember is one of a hot flow's members.
type hotMember struct {
	channel *client.Channel
	place   *load.Place
	pace    *client.Pace // nil: it is not slow
	over    atomic.Bool

	// Of its reader, until that has ended.
	bytes    int64
	ended    error // nil: it was there to the end
	document judge.Tree
	looked   bool   // whether it has the document
	kept     []byte // frames that are not carried out yet, and where each ends
	ends     []int

	// Of a writer.
	base   uint64 // the ref before its first change's
	mu     sync.Mutex
	sentAt []time.Duration // by ref
}

func (h *hotRun) join(ctx context.Context) (err error) {
	h.members = make([]*hotMember, h.Members)
	look := everyNth(h.Members)
	params := []byte(`{}`)
	if h.Sync {
		params = withSync
	}
	places := make(chan struct{}, h.Joining)
	var joining sync.WaitGroup
	var mu sync.Mutex
	for i := range h.members {
		places <- struct{}{}
		joining.Go(func() {
			defer func() { <-places }()
			m, failed := h.open(ctx, i, params, h.Sync && look(i))
			mu.Lock()
			defer mu.Unlock()
			h.members[i], err = m, errors.Join(err, failed)
		})
	}
	joining.Wait()
	if err != nil {
		return err
	}
	for i, m := range h.members {
		if m.pace != nil {
			m.pace.Set(int(h.Rate * updateBytes / slowShare))
		}
		if i < h.Writers {
			m.base = m.channel.LastRef()
		}
		h.reading.Go(func() { h.read(m) })
	}
	return ctx.Err()
}

func (h *hotRun) open(ctx context.Context, i int, params []byte, look bool) (*hotMember, error) {
	m := &hotMember{}
	if i >= h.Members-h.Slow {
		m.pace = &client.Pace{}
	}
	c, response, err := h.stage.join(ctx, i, params, m.pace)
	if err != nil {
		return nil, err
	}
	m.channel = c
	c.WriteTimeout = pushDeadline
	if m.pace == nil {
		c.Widen(readAtOnce)
		c.Narrow(mostUnread)
	}
	a, err := client.ParseAnswer(response)
	if err != nil {
		return m, err
	}
	m.place = load.NewPlace(a.Seq)
	if look && a.Snapshot != nil {
		m.looked = true
		m.document, err = judge.Parse(a.Snapshot.Document)
	}
	return m, err
}

func (h *hotRun) read(m *hotMember) {
	for {
		if err := h.readFrame(m); err != nil {
			if !h.stopping.Load() {
				m.ended = err
			}
			m.over.Store(true)
			return
		}
	}
}

func (h *hotRun) readFrame(m *hotMember) error {
	frame, err := m.channel.Read()
	if err != nil {
		return err
	}
	m.bytes += int64(len(frame))
	switch n := load.ReadNews(frame); n.Kind {
	case load.Answer:
		ref, _ := strconv.ParseUint(string(bytes.Trim(n.Ref, `"`)), 10, 64)
		h.answered(m, ref, n.Seq)
	case load.Refusal:
		h.refused.Add(1)
	default:
		if m.place.Take(n, time.Since(h.began)) && m.looked {
			return m.keep(frame)
		}
	}
	return nil
}

// mostKept bounds the bytes of frames that a member keeps; past it they are carried out.
const mostKept = 16 << 20

// keep keeps a frame for when the load is over: to carry it out now would slow the member down.
func (m *hotMember) keep(frame []byte) error {
	m.kept = append(m.kept, frame...)
	m.ends = append(m.ends, len(m.kept))
	if len(m.kept) > mostKept {
		return m.carryOut()
	}
	return nil
}

// carryOut brings the document up to date.
func (m *hotMember) carryOut() error {
	from := 0
	for _, end := range m.ends {
		frame, err := phoenix.V2.Decode(m.kept[from:end], false)
		if err != nil {
			return err
		}
		from = end
		if document, ok := phoenix.Field(frame.Payload, "document"); ok {
			if m.document, err = judge.Parse(document); err != nil {
				return err
			}
			continue
		}
		patches := []judge.Tree{}
		if changes, ok := phoenix.Field(frame.Payload, "changes"); ok {
			patch, err := judge.Parse(changes)
			if err != nil {
				return err
			}
			patches = append(patches, patch)
		} else if list, ok := phoenix.Field(frame.Payload, "patches"); ok {
			all, err := judge.Parse(list)
			if err != nil {
				return err
			}
			patches, _ = all.([]any)
		}
		for _, patch := range patches {
			m.document = judge.Merge(m.document, patch)
		}
	}
	m.kept, m.ends = m.kept[:0], m.ends[:0]
	return nil
}

// answered notes when a change was sent that now has its seq.
func (h *hotRun) answered(m *hotMember, ref, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := ref - m.base - 1; i < uint64(len(m.sentAt)) {
		h.sent.Add(seq, m.sentAt[i])
	}
}

func howEnded(err error) string {
	var closed *client.CloseError
	if errors.As(err, &closed) {
		return strconv.Itoa(closed.Code)
	}
	return "broken"
}
