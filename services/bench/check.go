package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"helix/bench/internal/actors"
	"helix/bench/internal/faults"
	"helix/bench/internal/judge"
)

// checkOptions say how the adversary goes about it.
type checkOptions struct {
	Duration time.Duration
	Edges    int
	Flows    int
	Kinds    []faults.Kind
	Redis    faults.Mode
	MinRepl  bool
	Binary   string
	Round    time.Duration
	Window   int
	Full     bool
}

// check is one run of the adversary.
type check struct {
	checkOptions
	seed uint64

	progress io.Writer
	cluster  *faults.Cluster
	world    *actors.World
	flows    []*actors.Flow
	idle     []int // goroutines of each edge before anybody came
	began    time.Time
	done     map[faults.Kind]int
	rounds   int

	mu      sync.Mutex
	broken  error
	trace   string
	stopRun context.CancelFunc
}

// The edges' settings: short times, so that much happens in little time, and small queues, rates and
// documents, so that slow readers are slow, hasty writers hasty, and a large document full.
const (
	checkLease   = 2 * time.Second
	checkTimeout = time.Second
	// Of a document; one of the flows is at its limit all the time.
	checkDocument = 40 << 10
)

// checkCommand tries to make Helix lose, double or reorder an acknowledged change.
func checkCommand(args []string, stdout, progress io.Writer) error {
	var c checkOptions
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(progress)
	seeds := flags.String("seed", "", "of the plan, or several with commas between, one after the other; empty: a new one, which is printed")
	flags.DurationVar(&c.Duration, "duration", time.Minute, "how long to break things, for each seed; a round is not cut short")
	flags.IntVar(&c.Edges, "edges", 3, "edges to start")
	flags.IntVar(&c.Flows, "flows", 4, "flows, each with clients of all kinds")
	kinds := flags.String("faults", "all", `what may fail: "all", "none", or kinds with commas between; "all,-flush" leaves one out`)
	redis := flags.String("redis", string(faults.Single), fmt.Sprintf("the Redis to start: one of %v", faults.Modes))
	flags.BoolVar(&c.MinRepl, "min-replicas", false, "masters take nothing while no replica keeps up (min-replicas-to-write 1)")
	flags.StringVar(&c.Binary, "helix", "bin/helix", "the edge's binary")
	flags.DurationVar(&c.Round, "round", 8*time.Second, "of faults, until all is healed and judged")
	flags.IntVar(&c.Window, "window", 8, "changes that a writer sends without waiting for an answer, at most")
	flags.BoolVar(&c.Full, "full", true, "one of the flows has a document that is full at times")
	keep := flags.String("keep", "", "directory to keep the edges' words and Redis's data in; empty: they are removed")
	file := flags.String("json", "", "file to write the result to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if c.Redis = faults.Mode(*redis); !slices.Contains(faults.Modes, c.Redis) {
		return fmt.Errorf("--redis is %q: it must be one of %v", c.Redis, faults.Modes)
	}
	if c.Kinds, err = faults.ParseKinds(*kinds, c.Redis); err != nil {
		return err
	}
	list, err := parseSeeds(*seeds)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	var all checkResult
	for _, seed := range list {
		one := check{checkOptions: c, seed: seed, progress: progress, done: map[faults.Kind]int{}}
		_, _ = fmt.Fprintf(progress, "seed %d\n", seed)
		if err := one.runIn(ctx, *keep, stdout); err != nil {
			return err
		}
		all.add(one.result())
	}
	all.write(stdout)
	return all.writeJSON(*file)
}

func parseSeeds(text string) (list []uint64, err error) {
	if text == "" {
		return []uint64{uint64(rand.Uint32())}, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		seed, err := strconv.ParseUint(strings.TrimSpace(word), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("--seed is %q: it must be numbers with commas between", text)
		}
		list = append(list, seed)
	}
	return list, nil
}

// runIn runs in a directory, or in one that is removed again, and tells of what it found.
func (c *check) runIn(ctx context.Context, dir string, stdout io.Writer) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "helix-check-"); err != nil {
			return fmt.Errorf("make a directory for Redis: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
	} else {
		dir = filepath.Join(dir, fmt.Sprint(c.seed))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the directory to keep things in: %w", err)
		}
	}
	if err = c.run(ctx, dir); err == nil {
		return nil
	}
	if c.trace != "" {
		_, _ = fmt.Fprintf(stdout, "FAILED with --seed %d, in round %d:\n%v\n%s", c.seed, c.rounds+1, err, c.trace)
		return fmt.Errorf("a promise is broken; the same plan again: --seed %d", c.seed)
	}
	return fmt.Errorf("with --seed %d, in round %d: %w", c.seed, c.rounds+1, err)
}

func (c *check) run(ctx context.Context, dir string) (err error) {
	ctx, c.stopRun = context.WithCancel(ctx)
	defer c.stopRun()
	c.cluster, err = faults.Start(faults.Setup{Binary: c.Binary, Edges: c.Edges, Dir: dir, Env: []string{
		"HELIX_SESSION_LEASE_TTL=" + checkLease.String(), "HELIX_REDIS_TIMEOUT=" + checkTimeout.String(), "HELIX_SOCKET_QUEUE_BYTES=64KiB",
		"HELIX_CHANGE_RATE=40", "HELIX_CHANGE_BURST=20", fmt.Sprintf("HELIX_DOCUMENT_MAX_BYTES=%d", checkDocument), "HELIX_LOG_LEVEL=info",
	}, Flows: c.flowIDs(), Redis: c.Redis, MinReplicas: c.MinRepl, Timeout: checkTimeout})
	defer c.cluster.Stop()
	if err != nil {
		return err
	}
	if err := c.countIdle(); err != nil {
		return err
	}
	c.populate()
	c.began = time.Now()
	people, leave := context.WithCancel(ctx)
	defer leave()
	for _, f := range c.flows {
		f.Run(people)
	}
	err = c.breakThings(ctx)
	leave()
	for _, f := range c.flows {
		f.Wait()
	}
	c.mu.Lock()
	broken := c.broken
	c.mu.Unlock()
	if broken != nil {
		return broken
	}
	if err == nil {
		err = c.empty(ctx)
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// countIdle counts the goroutines of edges that nobody has used yet.
func (c *check) countIdle() error {
	for _, e := range c.cluster.Edges {
		n, err := e.Goroutines()
		if err != nil {
			return err
		}
		c.idle = append(c.idle, n)
	}
	return nil
}

// breakThings goes through the rounds: faults, then a quiet point at which all is judged.
func (c *check) breakThings(ctx context.Context) error {
	options := faults.Options{Seed: c.seed, Kinds: c.Kinds, Edges: c.Edges, Flows: c.Flows, Lease: checkLease, Timeout: checkTimeout, Duration: c.Round}
	for time.Since(c.began) < c.Duration || c.rounds == 0 {
		plan := faults.Plan(options, c.rounds)
		for _, f := range plan {
			c.done[f.Kind]++
		}
		c.world.Note(fmt.Sprintf("round %d begins", c.rounds+1))
		c.world.SetBusy(true)
		err := c.cluster.Carry(ctx, plan, c.Round, c.world.Note)
		c.world.SetBusy(false)
		c.world.Note("all is healed")
		if err != nil {
			return err
		}
		if err := c.settle(ctx); err != nil {
			return err
		}
		c.rounds++
		s := &c.world.Stats
		_, _ = fmt.Fprintf(c.progress, "  %4.0fs  round %d: %d changes, %d faults, %d connects\n", time.Since(c.began).Seconds(), c.rounds, s.Changes.Load(), c.faults(), s.Connects.Load())
	}
	return nil
}

func (c *check) settle(ctx context.Context) error {
	var all sync.WaitGroup
	for _, f := range c.flows {
		all.Go(func() {
			if err := f.Settle(ctx); err != nil && ctx.Err() == nil {
				c.fail(f, err)
			}
		})
	}
	all.Wait()
	return ctx.Err()
}

// fail keeps the first broken promise and ends the run.
func (c *check) fail(f *actors.Flow, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		c.broken = fmt.Errorf("flow %s: %w", f.ID, err)
		go func() { // the caller holds the flow's lock, which a trace needs; run waits for it
			defer c.stopRun()
			trace := f.Trace(err)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.trace = trace
		}()
	}
}

func (c *check) faults() (n int) {
	for _, k := range c.done {
		n += k
	}
	return n
}

// empty looks at what is left when everybody is gone: no flow, no subscription, no goroutine.
func (c *check) empty(ctx context.Context) error {
	const within, slack = 30 * time.Second, 5
	for deadline := time.Now().Add(within); ; {
		text, err := c.left(ctx, slack)
		if err != nil || text == "" || ctx.Err() != nil {
			return err
		}
		if time.Now().After(deadline) {
			return &judge.Violation{Kind: judge.Leak, What: fmt.Sprintf("%v after everybody went: %s", within, text)}
		}
		wait(ctx, 50*time.Millisecond)
	}
}

func (c *check) left(ctx context.Context, slack int) (what string, err error) {
	channels, err := c.cluster.Redis.Channels(ctx, "helix:")
	if err != nil {
		return "", err
	}
	if len(channels) > 0 {
		return fmt.Sprintf("subscriptions to %v", channels), nil
	}
	for i, e := range c.cluster.Edges {
		flows, err := e.Metric("helix_flows")
		if err != nil {
			return "", err
		}
		if flows != 0 {
			return fmt.Sprintf("%s has %v flows", e.Name, flows), nil
		}
		n, err := e.Goroutines()
		if err != nil {
			return "", err
		}
		if n > c.idle[i]+slack {
			return fmt.Sprintf("%s has %d goroutines, at its start it had %d", e.Name, n, c.idle[i]), nil
		}
	}
	return "", nil
}

// populate makes the flows and their clients: the same for the same seed.
func (c *check) populate() {
	var edges, direct []string
	for _, e := range c.cluster.Edges {
		edges = append(edges, e.Clients.Addr())
		direct = append(direct, e.Addr)
	}
	c.world = actors.NewWorld(edges, direct, checkLease, c.fail)
	c.world.LateSignals = slices.Contains(c.Kinds, faults.MasterPause)
	random := rand.New(rand.NewPCG(c.seed, 7))
	for i := range c.Flows {
		f := c.world.NewFlow(c.flowIDs()[i])
		for _, b := range c.people(i, random) {
			f.Add(b, random.Uint64())
		}
		f.AddPoster("http", 2, c.Full && i == fullFlow, random.Uint64())
		c.flows = append(c.flows, f)
	}
}

func (c *check) flowIDs() (ids []string) {
	for i := range c.Flows {
		ids = append(ids, fmt.Sprintf("check-%d", i))
	}
	return ids
}

// Flows that are not like the others.
const (
	busyFlow = 0 // its slow readers cannot follow
	fullFlow = 1 // its document is at the limit
)

// people are the clients of one flow. On every edge one stays, and holds the document there.
func (c *check) people(flow int, random *rand.Rand) (list []actors.Behaviour) {
	for e := range c.Edges {
		list = append(list, actors.Behaviour{Name: fmt.Sprintf("stays-%d", e), Follows: true, Present: true, Edge: e})
	}
	busy, pad := 4.0, 20
	switch flow {
	case busyFlow:
		busy, pad = 15, 2800
	case fullFlow:
		if c.Full {
			pad = 11000
		}
	}
	any := func(b actors.Behaviour) {
		b.Edge, b.Present, b.Fills = -1, b.Follows && !b.Fresh, c.Full && flow == fullFlow
		list = append(list, b)
	}
	any(actors.Behaviour{Name: "writer", Follows: true, Rate: busy, Window: c.Window, Burst: c.Window, Pad: pad})
	any(actors.Behaviour{Name: "careful", Follows: true, Rate: busy, Window: 1, Pad: pad, Leaves: true, Stays: 4 * time.Second, Away: 500 * time.Millisecond})
	any(actors.Behaviour{Name: "moving", Follows: true, Rate: busy, Window: c.Window, Burst: 3, Pad: pad, Stays: 1500 * time.Millisecond, Away: time.Second})
	any(actors.Behaviour{Name: "hasty", Follows: true, Rate: 150, Window: 5 * c.Window, Stays: 500 * time.Millisecond, Away: 4 * time.Second})
	any(actors.Behaviour{Name: "plain", Rate: busy / 2, Window: max(c.Window/2, 1)})
	any(actors.Behaviour{Name: "reader", Follows: true})
	any(actors.Behaviour{Name: "away", Follows: true, Stays: 2 * time.Second, Away: 2 * time.Second, Leaves: random.IntN(2) == 0})
	any(actors.Behaviour{Name: "late", Follows: true, Fresh: true, Stays: time.Second, Away: 500 * time.Millisecond, Leaves: true})
	any(actors.Behaviour{Name: "watcher", Stays: 3 * time.Second, Away: time.Second})
	slow := actors.Behaviour{Name: "slow", Follows: true, Slow: 2000, Present: true, Edge: random.IntN(c.Edges)}
	list = append(list, slow)
	if flow == busyFlow { // one that has no catch-up is closed, and comes back
		list = append(list, actors.Behaviour{Name: "slow-plain", Slow: 2000, Edge: random.IntN(c.Edges)})
	}
	return list
}
