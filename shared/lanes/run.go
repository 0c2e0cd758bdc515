package lanes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Script is a Lua script with a name for metrics and errors.
type Script struct {
	Name   string
	script *redis.Script
	source string
}

// NewScript makes a script; sources are joined, so that scripts may share functions.
func NewScript(name string, sources ...string) *Script {
	src := strings.Join(sources, "\n")
	return &Script{Name: name, script: redis.NewScript(src), source: src}
}

// ErrClosed says that the connections were closed.
var ErrClosed = errors.New("lanes: closed")

// ErrBusy says that more calls wait for Redis than the bound allows.
var ErrBusy = errors.New("lanes: too many calls wait for Redis")

const (
	// runWorkers is how many pipelines are under way at once. Few, so that calls gather into
	// pipelines while Redis is busy; more than one, so that a round trip's waiting is used.
	runWorkers = 2
	// maxPipeline bounds one pipeline, so that a reply is never far behind its call.
	maxPipeline = 128
	// maxPipelineBytes bounds a pipeline by its arguments.
	maxPipelineBytes = 4 << 20
	// maxWaiting bounds the calls that wait; past it a call fails with ErrBusy.
	maxWaiting = 100_000
)

// call is one script run on its way.
type call struct {
	script *Script
	keys   []string
	args   []any
	bytes  int
	done   func(reply any, err error)
	began  time.Time
	cmd    *redis.Cmd
}

// runner gathers script runs of all flows into pipelines: while Redis works on some, the next ones
// queue and leave together. go-redis's own pipelining does the same per blocked caller; here a call
// has a callback instead, so that a flow with a call under way costs no goroutine.
type runner struct {
	client  redis.UniversalClient
	timeout time.Duration
	observe func(string, time.Duration, error)
	workers sync.WaitGroup

	mu      sync.Mutex
	more    sync.Cond
	waiting []call
	closed  bool
}

func newRunner(client redis.UniversalClient, timeout time.Duration, observe func(string, time.Duration, error)) *runner {
	if observe == nil {
		observe = func(string, time.Duration, error) {}
	}
	r := &runner{client: client, timeout: timeout, observe: observe}
	r.more.L = &r.mu
	for range runWorkers {
		r.workers.Go(r.work)
	}
	return r
}

func (r *runner) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.more.Broadcast()
	r.workers.Wait()
}

func (r *runner) add(c call) {
	r.mu.Lock()
	switch {
	// done may take a lock that the caller of Start holds: so it is never called from here.
	case r.closed:
		r.mu.Unlock()
		go c.done(nil, ErrClosed)
		return
	case len(r.waiting) >= maxWaiting:
		r.mu.Unlock()
		go c.done(nil, ErrBusy)
		return
	}
	r.waiting = append(r.waiting, c)
	r.mu.Unlock()
	r.more.Signal()
}

func (r *runner) work() {
	var batch []call
	for {
		r.mu.Lock()
		for len(r.waiting) == 0 && !r.closed {
			r.more.Wait()
		}
		if len(r.waiting) == 0 {
			r.mu.Unlock()
			return
		}
		n, bytes := 0, 0
		for n < len(r.waiting) && n < maxPipeline && bytes < maxPipelineBytes {
			bytes += r.waiting[n].bytes
			n++
		}
		batch = append(batch[:0], r.waiting[:n]...)
		left := copy(r.waiting, r.waiting[n:])
		clear(r.waiting[left:])
		r.waiting = r.waiting[:left]
		r.mu.Unlock()
		if batch = r.expire(batch); len(batch) > 0 {
			r.send(batch)
		}
		clear(batch)
	}
}

// expire answers the calls that waited for longer than a round trip may take; they were not carried out.
func (r *runner) expire(batch []call) (rest []call) {
	now := time.Now()
	rest = batch[:0]
	for i := range batch {
		c := batch[i]
		if now.Sub(c.began) <= r.timeout {
			rest = append(rest, c)
			continue
		}
		err := fmt.Errorf("run the %s script: %w", c.script.Name, ErrBusy)
		r.observe(c.script.Name, now.Sub(c.began), err)
		c.done(nil, err)
	}
	return rest
}

func (r *runner) send(batch []call) {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	pipe := r.client.Pipeline()
	for i := range batch {
		c := &batch[i]
		c.cmd = c.script.script.EvalSha(ctx, pipe, c.keys, c.args...)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i := range batch {
		c := &batch[i]
		reply, err := c.cmd.Result()
		if redis.HasErrorPrefix(err, "NOSCRIPT") { // nothing was carried out: send the source
			reply, err = r.client.Eval(ctx, c.script.source, c.keys, c.args...).Result()
		}
		r.observe(c.script.Name, time.Since(c.began), err)
		if err != nil {
			err = fmt.Errorf("run the %s script: %w", c.script.Name, err)
		}
		c.done(reply, err)
	}
}

// Start runs a script with neighbours of other flows in one pipeline. done is called once, on a
// goroutine of this package: it must not block. Runs of one flow are not ordered among each other
// unless each is started after the one before is done.
//
// An error that is not a reply of Redis (lost connection, deadline) leaves open whether the script ran.
func (l *Lanes) Start(s *Script, keys []string, args []any, done func(reply any, err error)) {
	bytes := 0
	for _, a := range args {
		if b, ok := a.([]byte); ok {
			bytes += len(b)
		}
	}
	l.runner.add(call{script: s, keys: keys, args: args, bytes: bytes, done: done, began: time.Now()})
}

// Run is Start for a caller that waits. When ctx ends first, the script may still run.
func (l *Lanes) Run(ctx context.Context, s *Script, keys []string, args ...any) (any, error) {
	type result struct {
		reply any
		err   error
	}
	out := make(chan result, 1)
	l.Start(s, keys, args, func(reply any, err error) { out <- result{reply, err} })
	select {
	case r := <-out:
		return r.reply, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("run the %s script: %w", s.Name, ctx.Err())
	}
}

// IsNil says that a script answered with nothing: an answer, not a failure.
func IsNil(err error) bool { return errors.Is(err, redis.Nil) }
