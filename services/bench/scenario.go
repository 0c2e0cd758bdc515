package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/load"
)

// scenario is one load.
type scenario struct {
	Name     string        `json:"name"`
	Clients  int           `json:"clients"`
	Flows    int           `json:"flows"`
	Writers  int           `json:"writers_per_flow"`
	Rate     float64       `json:"changes_per_second_and_flow"`
	Payload  int           `json:"payload_bytes"`
	Duration time.Duration `json:"duration_ns"`
	Joining  int           `json:"joins_at_once"`
	Settle   time.Duration `json:"settle_ns"` // before memory is read

	floor bool
}

// result is what was seen.
type result struct {
	Scenario scenario `json:"scenario"`
	Server   string   `json:"server"`

	JoinsPerSecond float64       `json:"joins_per_second"`
	JoinP99        time.Duration `json:"join_p99_ns"`
	CPUPerJoin     time.Duration `json:"cpu_per_join_ns"`
	BytesPerClient int64         `json:"resident_bytes_per_client"`

	Changes        int           `json:"changes"`
	Refused        int64         `json:"changes_refused"`
	Deliveries     int           `json:"deliveries"`
	ChangesPerSec  float64       `json:"changes_per_second"`
	DeliveriesPerS float64       `json:"deliveries_per_second"`
	Lost           int           `json:"lost"`
	OutOfOrder     int           `json:"out_of_order"`
	Ended          int64         `json:"connections_ended"`
	P50            time.Duration `json:"p50_ns"`
	P95            time.Duration `json:"p95_ns"`
	P99            time.Duration `json:"p99_ns"`
	Max            time.Duration `json:"max_ns"`
	CPUPerDelivery time.Duration `json:"cpu_per_delivery_ns"`
	ServerCPU      float64       `json:"server_cores"`
	RedisCPU       float64       `json:"redis_cores"`
}

// session is one run of a scenario.
type session struct {
	scenario
	target   target
	from     string // where the clients' addresses begin
	begin    time.Time
	latency  load.Histogram
	received atomic.Int64
	refused  atomic.Int64
	ended    atomic.Int64
	stopping atomic.Bool
	members  []*member
	reading  sync.WaitGroup
	progress io.Writer
}

type member struct {
	conn     *client.Conn
	channel  *client.Channel // nil on the bare server
	receiver *load.Receiver
	flow     int
	writer   int // of its flow; -1: it only reads
	sent     int
}

func (x scenario) run(ctx context.Context, t target, progress io.Writer) (result, error) {
	s := &session{scenario: x, target: t, begin: time.Now(), progress: progress, from: loopbackNet()}
	r := result{Scenario: x, Server: "helix"}
	if x.floor {
		r.Server = "bare server"
	}
	before := t.resident()
	cpu, began := t.cpu(), time.Now()
	joins, err := s.join(ctx)
	defer s.close()
	if err != nil {
		return r, err
	}
	took := time.Since(began)
	r.JoinsPerSecond, r.JoinP99 = float64(x.Clients)/took.Seconds(), joins.Quantile(.99)
	s.say("joined %d in %v", x.Clients, took.Round(time.Millisecond))
	wait(ctx, max(x.Settle, 500*time.Millisecond))
	r.CPUPerJoin = (t.cpu() - cpu) / time.Duration(x.Clients)
	if x.Settle > 0 {
		for _, p := range t.servers {
			p.Collect()
			p.Collect()
		}
		wait(ctx, x.Settle)
		r.BytesPerClient = (t.resident() - before) / int64(x.Clients)
	}
	if x.Rate > 0 {
		s.change(ctx, &r)
	}
	return r, ctx.Err()
}

// join opens all connections.
func (s *session) join(ctx context.Context) (*load.Histogram, error) {
	var took load.Histogram
	var mu sync.Mutex
	var failed error
	s.members = make([]*member, s.Clients)
	places := make(chan struct{}, s.Joining)
	var wg sync.WaitGroup
	for i := range s.members {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			began := time.Now()
			m, err := s.open(ctx, i)
			took.Add(time.Since(began))
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
				return
			}
			s.members[i] = m
		})
		mu.Lock()
		stop := failed
		mu.Unlock()
		if stop != nil {
			break
		}
	}
	wg.Wait()
	if failed != nil {
		return nil, failed
	}
	for _, m := range s.members {
		s.reading.Go(func() { s.read(m) })
	}
	return &took, ctx.Err()
}

// clientsPerAddress bounds the connections that come from one loopback address: the fewer of its ports
// are taken, the sooner the kernel finds a free one.
const clientsPerAddress = 4000

// loopbackNet gives a part of 127.0.0.0/8 in which the ports of earlier runs do not linger.
func loopbackNet() string { return fmt.Sprintf("127.%d.%d.", 1+rand.N(250), rand.N(250)) }

func (s *session) open(ctx context.Context, i int) (*member, error) {
	flow := i % s.Flows
	m := &member{receiver: load.NewReceiver(s.Writers), flow: flow, writer: -1}
	if nth := i / s.Flows; nth < s.Writers {
		m.writer = nth
	}
	edge := s.target.edges[(i/s.Flows)%len(s.target.edges)]
	from := s.from + strconv.Itoa(2+i/clientsPerAddress)
	var err error
	if s.floor {
		m.conn, err = client.Dial(ctx, fmt.Sprintf("%s/socket/websocket?room=%d", edge, flow), from)
		return m, err
	}
	if m.channel, err = client.Join(ctx, edge, fmt.Sprintf("bench-%d", flow), from); err == nil {
		m.conn = m.channel.Conn
	}
	return m, err
}

func (s *session) read(m *member) {
	for {
		frame, err := m.conn.Read()
		if err != nil {
			if !s.stopping.Load() {
				s.ended.Add(1)
			}
			return
		}
		mark, _, ok := load.Find(frame)
		if !ok {
			if strings.Contains(string(frame[:min(len(frame), 200)]), `"status":"error"`) {
				s.refused.Add(1)
			}
			continue
		}
		s.latency.Add(time.Since(s.begin) - mark.Sent)
		m.receiver.Take(mark, load.Seq(frame))
		s.received.Add(1)
	}
}

// change sends for the duration, waits until all has come, and judges.
func (s *session) change(ctx context.Context, r *result) {
	cpu, redis, began := s.target.cpu(), s.target.redisCPU(), time.Now()
	stop, cancel := context.WithTimeout(ctx, s.Duration)
	defer cancel()
	var sending sync.WaitGroup
	for _, m := range s.members {
		if m.writer >= 0 {
			sending.Go(func() { s.write(stop, m) })
		}
	}
	for stop.Err() == nil {
		wait(stop, 2*time.Second)
		s.say("%d deliveries", s.received.Load())
	}
	sending.Wait()
	sent := make([][]int, s.Flows)
	members := make([]int, s.Flows)
	for i := range sent {
		sent[i] = make([]int, s.Writers)
	}
	for _, m := range s.members {
		members[m.flow]++
		if m.writer >= 0 {
			sent[m.flow][m.writer] = m.sent
			r.Changes += m.sent
		}
	}
	expected := 0
	for flow, counts := range sent {
		for _, n := range counts {
			expected += n * members[flow]
		}
	}
	for last, quiet := int64(-1), 0; quiet < 20 && s.received.Load() < int64(expected) && ctx.Err() == nil; {
		wait(ctx, 250*time.Millisecond)
		if now := s.received.Load(); now == last {
			quiet++
		} else {
			last, quiet = now, 0
		}
	}
	took := time.Since(began)
	used := s.target.cpu() - cpu
	r.ServerCPU, r.RedisCPU = used.Seconds()/took.Seconds(), (s.target.redisCPU()-redis).Seconds()/took.Seconds()
	s.close() // the readers have ended: their counts may be read
	for _, m := range s.members {
		m.receiver.Finish(sent[m.flow])
		r.Deliveries += m.receiver.Received
		r.Lost += m.receiver.Lost
		r.OutOfOrder += m.receiver.OutOfOrder
	}
	r.ChangesPerSec, r.DeliveriesPerS = float64(r.Changes)/took.Seconds(), float64(r.Deliveries)/took.Seconds()
	r.Refused, r.Ended = s.refused.Load(), s.ended.Load()
	r.P50, r.P95, r.P99, r.Max = s.latency.Quantile(.5), s.latency.Quantile(.95), s.latency.Quantile(.99), s.latency.Max()
	r.CPUPerDelivery = used / time.Duration(max(r.Deliveries, 1))
}

// write sends one writer's changes at its times, whatever the server does: a slow server does not slow the load.
func (s *session) write(ctx context.Context, m *member) {
	interval := time.Duration(float64(time.Second) * float64(s.Writers) / s.Rate)
	next := time.Now().Add(rand.N(interval))
	for {
		wait(ctx, time.Until(next))
		if ctx.Err() != nil {
			return
		}
		next = next.Add(interval)
		mark := load.Mark{Writer: m.writer, Number: m.sent, Sent: time.Since(s.begin)}
		var err error
		if m.channel != nil {
			err = m.channel.Push("flow_change", append(append([]byte(`{"changes":`), mark.Changes(s.Payload)...), '}'))
		} else {
			err = m.conn.Send(mark.Changes(s.Payload + phoenixOverhead))
		}
		if err != nil {
			return
		}
		m.sent++
	}
}

// phoenixOverhead is what a flow_update has beside its changes: the bare server's messages are as long.
const phoenixOverhead = 150

func (s *session) close() {
	if s.stopping.Swap(true) {
		return
	}
	for _, m := range s.members {
		if m != nil && m.conn != nil {
			_ = m.conn.Close()
		}
	}
	s.reading.Wait()
}

func (s *session) say(format string, args ...any) {
	server := "helix"
	if s.floor {
		server = "bare "
	}
	_, _ = fmt.Fprintf(s.progress, "  %s %-28s %s\n", server, s.Name, fmt.Sprintf(format, args...))
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
