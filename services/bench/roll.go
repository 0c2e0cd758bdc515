package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/load"
	"helix/bench/internal/process"
)

// roll is a rolling deploy: edges are replaced one after another, each by a new one that is ready before
// the old one is told to stop, while writers go on.
type roll struct {
	Name    string        `json:"name"`
	Edges   int           `json:"edges"`
	Clients int           `json:"clients"`
	Flows   int           `json:"flows"` // each has one writer
	Rate    float64       `json:"changes_per_second_and_flow"`
	Drain   time.Duration `json:"drain_ns"` // shutdown.drain of the edges
	Grace   time.Duration `json:"grace_ns"` // that an edge has to end
}

type rollResult struct {
	Case     roll      `json:"case"`
	Replaced []replace `json:"replaced"`

	Moved      int64         `json:"connections_ended"`
	TurnedAway int64         `json:"tries_turned_away"`
	P50        time.Duration `json:"without_flow_p50_ns"`
	P99        time.Duration `json:"without_flow_p99_ns"`
	Max        time.Duration `json:"without_flow_max_ns"`
	PeakJoins  int           `json:"peak_joins_in_a_second"`
	Planned    int           `json:"planned_joins_a_second"` // of the largest drain

	Acked    int   `json:"changes_acknowledged"`
	Refused  int64 `json:"changes_refused"`
	Lost     int   `json:"acknowledged_changes_lost"`
	Open     int   `json:"changes_never_answered"`
	Broken   int   `json:"frames_that_do_not_follow"`
	Behind   int   `json:"members_not_at_the_end"`
	Syncs    int   `json:"documents_sent_again"`
	NotClean int   `json:"edges_not_ended_with_0_in_time"`
	Cores    cores `json:"cores"`
}

// replace is one edge's end.
type replace struct {
	Clients int           `json:"clients"`
	Took    time.Duration `json:"took_ns"`
	Exit    int           `json:"exit_code"`
	InTime  bool          `json:"in_time"`
}

// rollRun is one run of it.
type rollRun struct {
	roll
	began   time.Time
	target  target
	balance *balance
	members []*rollMember

	without    load.Histogram
	turnedAway atomic.Int64
	ended      atomic.Int64
	refused    atomic.Int64

	mu    sync.Mutex
	joins []time.Duration // when clients came back
}

// What the edges are planned to do (services/edge/internal/socket/drain.go): a wave every 100 ms, of as
// many as there must be, but of ten at least.
const (
	wavesPerSecond = 10
	fewestInWave   = 10
)

func (x roll) planned(clients int) int {
	waves := max(int(x.Drain*wavesPerSecond/time.Second), 1)
	return max((clients+waves-1)/waves, fewestInWave) * wavesPerSecond
}

// back notes that a client has its flow again, and for how long it had not.
func (r *rollRun) back(after time.Duration) {
	r.without.Add(after)
	r.mu.Lock()
	r.joins = append(r.joins, time.Since(r.began))
	r.mu.Unlock()
}

// peak is the most joins within a second.
func (r *rollRun) peak() (most int) {
	slices.Sort(r.joins)
	first := 0
	for i, at := range r.joins {
		for at-r.joins[first] >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func (x roll) settings() []string { return []string{"HELIX_SHUTDOWN_DRAIN=" + x.Drain.String()} }

// runOn runs it on servers of its own.
func (x roll) runOn(ctx context.Context, binary string, progress io.Writer) (res rollResult, err error) {
	res.Case = x
	t, stop, err := startHelix(binary, x.Edges, x.settings()...)
	if err != nil {
		stop()
		return res, err
	}
	r := &rollRun{roll: x, began: time.Now(), target: t, balance: newBalance()}
	var extra []*process.Process
	defer func() {
		r.balance.close()
		for _, p := range extra {
			p.Stop()
		}
		stop()
	}()
	for _, edge := range t.edges {
		r.balance.add(edge)
	}
	life, end := context.WithCancel(ctx)
	var living sync.WaitGroup
	defer func() { end(); living.Wait() }()
	if err := r.join(life, &living); err != nil {
		return res, err
	}
	_, _ = fmt.Fprintf(progress, "  helix %-28s %d joined\n", x.Name, x.Clients)
	writing, stopWriting := context.WithCancel(ctx)
	var writers sync.WaitGroup
	for _, m := range r.members[:x.Flows] {
		writers.Go(func() { r.write(writing, m) })
	}
	wait(ctx, time.Second)
	meter := t.startMeter()
	for i, old := range t.servers {
		p, err := process.Edge(binary, "edge-"+strconv.Itoa(x.Edges+i+1), t.redis, x.settings()...)
		if err != nil {
			stopWriting()
			writers.Wait()
			return res, err
		}
		extra = append(extra, p)
		r.balance.add("ws://" + p.Addr)
		res.Replaced = append(res.Replaced, r.replace(old))
		last := res.Replaced[i]
		_, _ = fmt.Fprintf(progress, "  helix %-28s replaced %s, which had %d clients: exit %d after %v\n", x.Name, old.Name, last.Clients, last.Exit, last.Took.Round(time.Millisecond))
		wait(ctx, 2*time.Second)
	}
	res.Cores = meter.read()
	stopWriting()
	writers.Wait()
	r.settle(ctx)
	end()
	living.Wait()
	err = r.judge(ctx, &res, "ws://"+extra[0].Addr)
	return res, errors.Join(err, ctx.Err())
}

// join opens all clients; the first of each flow is its writer.
func (r *rollRun) join(ctx context.Context, living *sync.WaitGroup) error {
	from := loopbackNet()
	places := make(chan struct{}, 64)
	failed := make(chan error, r.Clients)
	for i := range r.Clients {
		m := &rollMember{
			run: r, id: "c" + strconv.Itoa(i), flow: "bench-roll-" + strconv.Itoa(i%r.Flows), hints: i%2 == 1,
			from: from + strconv.Itoa(2+i/clientsPerAddress),
		}
		r.members = append(r.members, m)
		places <- struct{}{}
		living.Go(func() { m.live(ctx, func(err error) { failed <- err; <-places }) })
	}
	var err error
	for range r.Clients {
		err = errors.Join(err, <-failed)
	}
	return err
}

func (r *rollRun) write(ctx context.Context, m *rollMember) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / r.Rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.change()
		}
	}
}

func (r *rollRun) replace(old *process.Process) (one replace) {
	edge := "ws://" + old.Addr
	one.Clients = r.balance.on(edge)
	began := time.Now()
	one.Exit, one.InTime = old.Terminate(r.Grace)
	one.Took = time.Since(began)
	r.balance.remove(edge)
	return one
}

// settle waits until every change is answered and every member is where its flow's writer is.
func (r *rollRun) settle(ctx context.Context) {
	for began := time.Now(); time.Since(began) < mostCatchUp && ctx.Err() == nil; wait(ctx, 50*time.Millisecond) {
		open := 0
		for _, m := range r.members[:r.Flows] {
			open += m.unanswered()
		}
		if open == 0 && r.behind() == 0 {
			return
		}
	}
}

// behind is how many members lack something that another of their flow has.
func (r *rollRun) behind() (n int) {
	newest := make([]uint64, r.Flows)
	for i, m := range r.members {
		newest[i%r.Flows] = max(newest[i%r.Flows], m.place.Seq())
	}
	for i, m := range r.members {
		if m.place.Seq() < newest[i%r.Flows] {
			n++
		}
	}
	return n
}

func (r *rollRun) judge(ctx context.Context, res *rollResult, edge string) error {
	res.Moved, res.TurnedAway, res.Refused = r.ended.Load(), r.turnedAway.Load(), r.refused.Load()
	res.P50, res.P99, res.Max = r.without.Quantile(.5), r.without.Quantile(.99), r.without.Max()
	res.PeakJoins = r.peak()
	for _, one := range res.Replaced {
		res.Planned = max(res.Planned, r.planned(one.Clients))
		if one.Exit != 0 || !one.InTime {
			res.NotClean++
		}
	}
	res.Behind = r.behind()
	for _, m := range r.members {
		res.Broken += m.place.Broken
		res.Syncs += m.place.Syncs
	}
	for _, m := range r.members[:r.Flows] {
		lost, err := m.lost(ctx, edge)
		if err != nil {
			return fmt.Errorf("read the document of %s: %w", m.flow, err)
		}
		res.Lost += lost
		res.Acked += len(m.acked)
		res.Open += len(m.pending)
	}
	return nil
}

// lost counts the changes that were acknowledged and are not in the document that a fresh client gets.
func (m *rollMember) lost(ctx context.Context, edge string) (lost int, err error) {
	c, response, err := client.JoinWith(ctx, edge, m.flow, m.from, withSync, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	a, err := client.ParseAnswer(response)
	if err != nil {
		return 0, err
	}
	if a.Snapshot == nil {
		return 0, fmt.Errorf("no document in the answer to a join: %.200s", response)
	}
	var document struct {
		W map[string]map[string]int `json:"w"`
	}
	if err := json.Unmarshal(a.Snapshot.Document, &document); err != nil {
		return 0, err
	}
	for _, id := range m.acked {
		if document.W[m.id][strconv.FormatUint(id, 10)] != 1 {
			lost++
		}
	}
	return lost, nil
}

func (x roll) asCase() documentCase {
	return documentCase{x.Name, func(ctx context.Context, binary string, progress io.Writer) ([]row, []any, error) {
		r, err := x.runOn(ctx, binary, progress)
		took := time.Duration(0)
		for _, one := range r.Replaced {
			took = max(took, one.Took)
		}
		return []row{
			{fmt.Sprintf("%d edges replaced one after another, %d clients in %d flows: what was acknowledged", x.Edges, x.Clients, x.Flows),
				fmt.Sprintf("%d changes acknowledged, lost %d, never answered %d, frames out of order %d, members behind %d; edges ended with 0 after %v at most%s", r.Acked, r.Lost, r.Open, r.Broken, r.Behind, took.Round(100*time.Millisecond), r.Cores.beside()),
				"none lost, in order, exit 0 in time", r.Lost+r.Open+r.Broken+r.Behind+r.NotClean == 0},
			{"how long a client that is moved is without its flow", fmt.Sprintf("p50 %s, p99 %s, at most %s; %d were moved, %d tries were turned away", millis(r.P50), millis(r.P99), millis(r.Max), r.Moved, r.TurnedAway),
				"p99 under 2 s", r.P99 < 2*time.Second},
			{"joins within a second at the peak", fmt.Sprintf("%d, where %d were planned", r.PeakJoins, r.Planned), "at most twice the plan", r.PeakJoins <= 2*r.Planned},
		}, []any{r}, err
	}}
}
