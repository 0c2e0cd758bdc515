package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"helix/bench/internal/load"
)

// hot is one flow with many members and many writers, more than a server can bring to each one by one.
type hot struct {
	Name     string        `json:"name"`
	Nodes    int           `json:"nodes"`
	Members  int           `json:"members"`
	Writers  int           `json:"writers"` // of the members
	Rate     float64       `json:"changes_per_second"`
	Duration time.Duration `json:"duration_ns"`
	Sync     bool          `json:"sync"`         // the members joined with sync
	Slow     int           `json:"slow_members"` // read at 1% of the speed of the writers; they are not writers
	Joining  int           `json:"joins_at_once"`
}

type hotResult struct {
	Case hot `json:"case"`

	Sent      int64   `json:"changes_sent"`
	Taken     int64   `json:"changes_answered_while_sending"`
	Refused   int64   `json:"changes_refused"`
	PerSecond float64 `json:"changes_answered_per_second"`
	Cores     cores   `json:"cores"` // while they were sent

	Updates  int            `json:"updates"`
	Catchups int            `json:"catchups"`
	Syncs    int            `json:"syncs"`
	Bytes    int64          `json:"bytes_received"`
	Broken   int            `json:"frames_that_do_not_follow"`
	Ended    map[string]int `json:"connections_ended"` // by how
	Behind   int            `json:"members_not_at_the_end"`
	Differ   int            `json:"documents_that_differ"`
	Looked   int            `json:"documents_looked_at"`

	// From a change's sending to the first frame that covers it, at the members that are not slow.
	P50   time.Duration `json:"staleness_p50_ns"`
	P99   time.Duration `json:"staleness_p99_ns"`
	Max   time.Duration `json:"staleness_max_ns"`
	Never int           `json:"never_covered"` // of the changes and members that are timed

	SlowBehind uint64        `json:"slow_behind_changes"` // the last of the slow, when the writers stopped
	CaughtUp   time.Duration `json:"all_caught_up_after_ns"`
	Resident   int64         `json:"resident_before_bytes"`
	Peak       int64         `json:"resident_peak_bytes"`
}

// PerCore is the changes a second that one core of the server takes and brings to all members.
func (r *hotResult) PerCore() float64 { return r.PerSecond / max(r.Cores.Server, .001) }

func (r *hotResult) ended() (n int) {
	for _, many := range r.Ended {
		n += many
	}
	return n
}

// hotRun is one run of it.
type hotRun struct {
	hot
	*stage
	began    time.Time
	members  []*hotMember
	sent     *load.Sent
	refused  atomic.Int64
	stopping atomic.Bool
	reading  sync.WaitGroup
}

const (
	slowShare    = 100 // a slow member reads a hundredth of what is written
	updateBytes  = 230 // about what a Move is as a flow_update
	readAtOnce   = 16 << 10
	mostUnread   = 64 << 10 // of a member that is not slow, in its kernel
	pingEvery    = 20 * time.Second
	mostCatchUp  = 45 * time.Second // that members are given to have all, when the writers have stopped
	noNews       = 5 * time.Second  // after which nothing more is waited for: who was closed gets no answers
	pushDeadline = 20 * time.Second
)

func (x hot) run(ctx context.Context, t target, progress io.Writer) (r hotResult, err error) {
	r.Case = x
	s, err := openStage(ctx, t, "bench-hot", x.Nodes)
	if err != nil {
		return r, err
	}
	defer s.close()
	h := &hotRun{hot: x, stage: s, began: time.Now(), sent: load.NewSent()}
	defer h.close()
	if err := h.join(ctx); err != nil {
		return r, err
	}
	_, _ = fmt.Fprintf(progress, "  helix %-28s %d joined\n", x.Name, x.Members)
	for _, p := range t.servers {
		p.Collect()
	}
	wait(ctx, time.Second)
	r.Resident = t.resident()
	alive, end := context.WithCancel(ctx)
	var pinging sync.WaitGroup
	pinging.Go(func() { h.ping(alive) })
	h.write(ctx, &r)
	h.settle(ctx, &r)
	end()
	pinging.Wait()
	err = h.judge(ctx, &r)
	_, _ = fmt.Fprintf(progress, "  helix %-28s %.0f changes/s at %.2f cores, p99 %v, %d updates, %d catch-ups, ended %v\n", x.Name, r.PerSecond, r.Cores.Server, r.P99.Round(time.Millisecond), r.Updates, r.Catchups, r.Ended)
	return r, errors.Join(err, ctx.Err())
}

// write has the writers send for the duration, each at its times whatever the server does, and sees what
// the servers use.
func (h *hotRun) write(ctx context.Context, r *hotResult) {
	began, meter := time.Now(), h.target.startMeter()
	stop, cancel := context.WithTimeout(ctx, h.Duration)
	defer cancel()
	var sending sync.WaitGroup
	var sent atomic.Int64
	for i, m := range h.members[:h.Writers] {
		sending.Go(func() { sent.Add(h.writeOne(stop, i, m)) })
	}
	for stop.Err() == nil {
		wait(stop, 200*time.Millisecond)
		r.Peak = max(r.Peak, h.target.resident())
	}
	r.Taken, r.Cores = h.sent.Count(), meter.read()
	r.PerSecond = float64(r.Taken) / time.Since(began).Seconds()
	sending.Wait()
	r.Sent = sent.Load()
}

func (h *hotRun) writeOne(ctx context.Context, nth int, m *hotMember) (sent int64) {
	interval := time.Duration(float64(time.Second) * float64(h.Writers) / h.Rate)
	next := time.Now().Add(rand.N(interval))
	for {
		wait(ctx, time.Until(next))
		if ctx.Err() != nil || m.over.Load() {
			return sent
		}
		next = next.Add(interval)
		m.mu.Lock()
		m.sentAt = append(m.sentAt, time.Since(h.began))
		m.mu.Unlock()
		if m.channel.Push("flow_change", changePayload(load.Move(h.Nodes, int(sent)*h.Writers+nth))) != nil {
			return sent
		}
		sent++
	}
}

// ping keeps those alive that only read; writers are not silent for as long.
func (h *hotRun) ping(ctx context.Context) {
	for wait(ctx, pingEvery); ctx.Err() == nil; wait(ctx, pingEvery) {
		for _, m := range h.members[h.Writers:] {
			_ = m.channel.Push("ping", []byte(`{}`))
		}
	}
}

// settle waits until everybody has everything. Who was slow reads on as fast as the others.
func (h *hotRun) settle(ctx context.Context, r *hotResult) {
	began := time.Now()
	wait(ctx, 100*time.Millisecond)
	for _, m := range h.members {
		if m.pace != nil {
			r.SlowBehind = max(r.SlowBehind, h.sent.Newest()-min(m.place.Seq(), h.sent.Newest()))
			m.pace.Set(0)
		}
	}
	var last int64
	for news := began; time.Since(began) < mostCatchUp && time.Since(news) < noNews && ctx.Err() == nil; {
		if h.sent.Count()+h.refused.Load() >= r.Sent && h.behind() == 0 {
			break
		}
		wait(ctx, 20*time.Millisecond)
		if now := h.news(); now != last {
			last, news = now, time.Now()
		}
	}
	r.CaughtUp = time.Since(began)
	r.Behind = h.behind()
	r.Peak = max(r.Peak, h.target.resident())
}

// behind is how many of those that are still there do not have everything.
func (h *hotRun) behind() (n int) {
	for _, m := range h.members {
		if !m.over.Load() && m.place.Seq() < h.sent.Newest() {
			n++
		}
	}
	return n
}

// news grows with everything that comes.
func (h *hotRun) news() int64 {
	n := h.sent.Count() + h.refused.Load()
	for _, m := range h.members {
		n += int64(m.place.Seq())
	}
	return n
}

func (h *hotRun) judge(ctx context.Context, r *hotResult) error {
	want, _, err := h.document(ctx)
	end := time.Since(h.began)
	h.close() // the readers have ended: what they counted may be read
	print := fingerprintOf(want)
	r.Refused, r.Ended = h.refused.Load(), map[string]int{}
	var stale load.Histogram
	for _, m := range h.members {
		r.Updates += m.place.Updates
		r.Catchups += m.place.Catchup
		r.Syncs += m.place.Syncs
		r.Broken += m.place.Broken
		r.Bytes += m.bytes
		if m.pace == nil {
			r.Never += h.sent.Staleness(m.place, end, &stale)
		}
		if m.ended != nil {
			r.Ended[howEnded(m.ended)]++
			continue
		}
		if m.looked {
			r.Looked++
			if m.carryOut() != nil || fingerprintOf(m.document) != print {
				r.Differ++
			}
		}
	}
	r.P50, r.P99, r.Max = stale.Quantile(.5), stale.Quantile(.99), stale.Max()
	return err
}

func (h *hotRun) close() {
	if h.stopping.Swap(true) {
		return
	}
	for _, m := range h.members {
		if m != nil && m.channel != nil {
			_ = m.channel.Close()
		}
	}
	h.reading.Wait()
}
