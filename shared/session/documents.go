package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"helix/shared/flows"
)

// Summary tells of the flow's document and session; exists is false where there is no document, and then
// only the position is set.
func (f *Flow) Summary(ctx context.Context) (summary flows.Summary, exists bool, err error) {
	reply, err := f.store.lanes.Run(ctx, summaryScript, f.summaryKeys(), f.argID)
	if err != nil {
		return flows.Summary{}, false, err
	}
	return f.parseSummary(reply)
}

func (f *Flow) parseSummary(reply any) (summary flows.Summary, exists bool, err error) {
	r := reader{values: asList(reply)}
	kind := r.text()
	s := flows.Summary{Flow: f.id, Position: Position{Epoch: r.text(), Seq: uint64(r.integer())}}
	if kind == "none" {
		return s, false, r.failed("summary")
	}
	s.CreatedAt, s.UpdatedAt = timeOf(r.integer()), timeOf(r.integer())
	s.ClientCount = int(r.integer())
	s.Active = s.ClientCount > 0
	s.CountedSeq, s.Title = uint64(r.integer()), strings.ToValidUTF8(r.text(), "")
	s.Nodes, s.Edges = int(r.integer()), int(r.integer())
	return s, true, r.failed("summary")
}

// mostRounds bounds how often List looks on for flows in the place of those that turn out to be gone.
const mostRounds = 8

// List gives up to limit flows that have a document and come behind a place in the list, and where the
// rest begins; the zero Place: there is none. Each lane's index is read as far as the page needs it, then
// each flow. Flows whose documents are gone by their retention are taken out of the index on the way:
// where there are many of them a page may have fewer flows than limit.
func (s *Store) List(ctx context.Context, after flows.Place, limit int) (list []flows.Summary, next flows.Place, err error) {
	o := s.order(after, limit)
	for range mostRounds {
		places, err := o.take(ctx, limit-len(list))
		if err != nil {
			return nil, flows.Place{}, err
		}
		found, err := s.summaries(ctx, places)
		if err != nil {
			return nil, flows.Place{}, err
		}
		list = append(list, found...)
		if o.end() {
			return list, flows.Place{}, nil
		}
		next = places[len(places)-1]
		if len(list) == limit {
			break
		}
	}
	return list, next, nil
}

// summaries gives those of the flows that have a document.
func (s *Store) summaries(ctx context.Context, places []flows.Place) ([]flows.Summary, error) {
	all := make([]flows.Summary, len(places))
	exist := make([]bool, len(places))
	err := together(ctx, "summarize the flows", len(places), func(i int, done func(error)) {
		f := s.Flow(places[i].Flow)
		s.lanes.Start(summaryScript, f.summaryKeys(), []any{f.argID}, func(reply any, err error) {
			if err == nil {
				all[i], exist[i], err = f.parseSummary(reply)
				all[i].Changed = places[i].Changed
			}
			done(err)
		})
	})
	if err != nil {
		return nil, err
	}
	found := all[:0]
	for i := range all {
		if exist[i] {
			found = append(found, all[i])
		}
	}
	return found, nil
}

// sweepBatch is how many flows are asked at once whether they are still there.
const sweepBatch = 100

// Sweep looks in one lane, any, for flows that were not changed for the retention: those that are gone
// are taken out of the index. It goes on while it finds nothing else.
func (s *Store) Sweep(ctx context.Context) (gone int, err error) {
	keys := s.lanes.FlowsKeys()
	key := keys[rand.IntN(len(keys))]
	before := time.Now().Add(-s.opts.Retention).UnixMilli()
	for {
		reply, err := s.lanes.Run(ctx, sweepScript, []string{key}, before, sweepBatch, rand.Float64())
		if err != nil {
			return gone, err
		}
		var places []flows.Place
		r := reader{values: asList(reply)}
		for len(r.values) > 0 && !r.bad {
			places = append(places, flows.Place{Flow: flows.ID(r.text())})
		}
		if err := r.failed("sweep"); err != nil {
			return gone, err
		}
		there, err := s.summaries(ctx, places)
		if err != nil {
			return gone, err
		}
		gone += len(places) - len(there)
		if len(places) == 0 || len(there) > 0 {
			return gone, nil
		}
	}
}

// order merges the lanes' indexes into one.
type order struct {
	store *Store
	lanes []laneOrder
	chunk int // flows of a lane that are read at once
}

type laneOrder struct {
	key  string
	at   flows.Place   // the last that was read
	read []flows.Place // and not taken yet
	more bool
}

func (s *Store) order(after flows.Place, limit int) *order {
	keys := s.lanes.FlowsKeys()
	o := &order{store: s, lanes: make([]laneOrder, len(keys))}
	o.chunk = min(limit, 4*limit/len(keys)+8) + 1 // more than a lane's share: mostly one round trip will do; and one to see the end by
	for i, key := range keys {
		o.lanes[i] = laneOrder{key: key, at: after, more: true}
	}
	return o
}

// before says whether a place is nearer to the front.
func before(a, b flows.Place) bool {
	if a.Changed != b.Changed {
		return a.Changed > b.Changed
	}
	return a.Flow > b.Flow
}

// take gives the next n places, fewer only at the end.
func (o *order) take(ctx context.Context, n int) (places []flows.Place, err error) {
	for len(places) < n {
		if err := o.refill(ctx); err != nil {
			return nil, err
		}
		var first *laneOrder
		for i := range o.lanes {
			if l := &o.lanes[i]; len(l.read) > 0 && (first == nil || before(l.read[0], first.read[0])) {
				first = l
			}
		}
		if first == nil {
			break
		}
		places = append(places, first.read[0])
		first.read = first.read[1:]
	}
	return places, nil
}

// end says whether every place was taken.
func (o *order) end() bool {
	return !slices.ContainsFunc(o.lanes, func(l laneOrder) bool { return l.more || len(l.read) > 0 })
}

// refill reads on in the lanes of which nothing is left.
func (o *order) refill(ctx context.Context) error {
	var dry []*laneOrder
	for i := range o.lanes {
		if l := &o.lanes[i]; l.more && len(l.read) == 0 {
			dry = append(dry, l)
		}
	}
	replies := make([]any, len(dry))
	err := together(ctx, "read the index of documents", len(dry), func(i int, done func(error)) {
		at := any("")
		if l := dry[i]; l.at != (flows.Place{}) {
			at = l.at.Changed
		}
		o.store.lanes.Start(listScript, []string{dry[i].key}, []any{at, string(dry[i].at.Flow), o.chunk}, func(reply any, err error) {
			replies[i] = reply
			done(err)
		})
	})
	if err != nil {
		return err
	}
	for i, l := range dry {
		if err := l.fill(replies[i], o.chunk); err != nil {
			return err
		}
	}
	return nil
}

func (l *laneOrder) fill(reply any, chunk int) error {
	r := reader{values: asList(reply)}
	older := 0
	for len(r.values) > 0 && !r.bad {
		p := flows.Place{Flow: flows.ID(r.text()), Changed: r.integer()}
		if l.at == (flows.Place{}) || p.Changed < l.at.Changed {
			older++
		} else if !before(l.at, p) {
			continue
		}
		l.read = append(l.read, p)
	}
	slices.SortFunc(l.read, func(a, b flows.Place) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	l.more = older == chunk
	if len(l.read) > 0 {
		l.at = l.read[len(l.read)-1]
	}
	return r.failed("list")
}

func (f *Flow) summaryKeys() []string {
	return []string{f.keys.Session, f.keys.Head, f.keys.Snapshot, f.keys.Flows}
}

// together starts n calls and waits for all, or for the end of ctx: then what they write belongs to nobody.
func together(ctx context.Context, what string, n int, start func(i int, done func(error))) error {
	outcomes := make(chan error, n)
	for i := range n {
		start(i, func(err error) { outcomes <- err })
	}
	var failed error
	for range n {
		select {
		case err := <-outcomes:
			if err != nil {
				failed = err
			}
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
	}
	return failed
}
