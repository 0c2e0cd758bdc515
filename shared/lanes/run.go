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
	hash   string
	source string
}

// NewScript makes a script; sources are joined, so that scripts may share functions.
func NewScript(name string, sources ...string) *Script {
	src := strings.Join(sources, "\n")
	return &Script{Name: name, hash: redis.NewScript(src).Hash(), source: src}
}

// ErrClosed says that the connections were closed.
var ErrClosed = errors.New("lanes: closed")

// ErrBusy says that more calls wait for Redis than the bound allows.
var ErrBusy = errors.New("lanes: too many calls wait for Redis")

const (
	// runWorkers is how many pipelines are under way to a server at once. Few, so that calls gather into
	// pipelines while Redis is busy; more than one, so that a round trip's waiting is used.
	runWorkers = 2
	// maxPipeline bounds one pipeline, so that a reply is never far behind its call.
	maxPipeline = 128
	// maxPipelineBytes bounds a pipeline by its arguments.
	maxPipelineBytes = 4 << 20
	// maxWaiting bounds the calls that wait; past it a call fails with ErrBusy.
	maxWaiting = 100_000
	// firstPause and longestPause are before a call is sent again that Redis could not carry out just then.
	firstPause   = 10 * time.Millisecond
	longestPause = 160 * time.Millisecond
)

// call is one script run on its way.
type call struct {
	script *Script
	keys   []string
	args   []any
	bytes  int
	done   func(reply any, err error)
	began  time.Time
	tries  int
	cmd    *redis.Cmd
}

// once is a command that go-redis never sends again by itself. Left alone, its Cluster client sends a whole
// pipeline again when a connection breaks in the middle of it, or when the first answer is one that passes
// (TRYAGAIN, LOADING, CLUSTERDOWN …), with all that had been carried out: changes would count twice. It
// still follows MOVED and ASK, each command by itself.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

// evaluate makes the command that runs a call's script, by its hash or by its source.
func (c *call) evaluate(ctx context.Context, command, script string) redis.Cmder {
	args := make([]any, 0, 3+len(c.keys)+len(c.args))
	args = append(args, command, script, len(c.keys))
	for _, key := range c.keys {
		args = append(args, key)
	}
	c.cmd = redis.NewCmd(ctx, append(args, c.args...)...)
	if len(c.keys) > 0 {
		c.cmd.SetFirstKeyPos(3)
	}
	return once{c.cmd}
}

// runner gathers script runs of all flows into pipelines: while Redis works on some, the next ones
// queue and leave together. go-redis's own pipelining does the same per blocked caller; here a call
// has a callback instead, so that a flow with a call under way costs no goroutine.
type runner struct {
	client  redis.UniversalClient
	watch   *watch
	timeout time.Duration
	observe func(string, time.Duration, error)
	workers sync.WaitGroup
	quit    chan struct{} // closed by close

	mu      sync.Mutex
	queues  map[string]*queue // by server
	waiting int               // calls in all queues
	paused  int               // calls that are sent again a little later
	closed  bool
}

// queue is what waits for one server. Of a Cluster each server in use has its own, so that one that is
// silent keeps nobody from the others; it lives while something waits. Elsewhere there is one, for good.
type queue struct {
	server  string
	calls   []call
	more    sync.Cond
	workers int
}

func newRunner(client redis.UniversalClient, watch *watch, timeout time.Duration, observe func(string, time.Duration, error)) *runner {
	if observe == nil {
		observe = func(string, time.Duration, error) {}
	}
	r := &runner{client: client, watch: watch, timeout: timeout, observe: observe, quit: make(chan struct{}), queues: map[string]*queue{}}
	return r
}

func (r *runner) close() {
	r.mu.Lock()
	r.closed = true
	for _, q := range r.queues {
		q.more.Broadcast()
	}
	r.mu.Unlock()
	close(r.quit)
	r.workers.Wait()
}

func (r *runner) add(c call) {
	server := r.server(&c)
	r.mu.Lock()
	switch {
	// done may take a lock that the caller of Start holds: so it is never called from here.
	case r.closed:
		r.mu.Unlock()
		go c.done(nil, ErrClosed)
		return
	case r.waiting+r.paused >= maxWaiting:
		r.mu.Unlock()
		go c.done(nil, ErrBusy)
		return
	}
	q := r.queues[server]
	if q == nil {
		q = &queue{server: server}
		q.more.L = &r.mu
		r.queues[server] = q
	}
	q.calls = append(q.calls, c)
	r.waiting++
	if q.workers < runWorkers {
		q.workers++
		r.workers.Go(func() { r.work(q) })
	}
	r.mu.Unlock()
	q.more.Signal()
}

// noWait is for questions that are answered from memory or not at all.
var noWait = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// server says whose queue a call belongs to.
func (r *runner) server(c *call) string {
	if r.watch == nil || r.watch.cluster == nil || len(c.keys) == 0 {
		return ""
	}
	return r.watch.of(noWait, c.keys[0])
}

func (r *runner) work(q *queue) {
	var batch []call
	for {
		r.mu.Lock()
		for len(q.calls) == 0 {
			if r.closed || r.watch.cluster != nil {
				if q.workers--; q.workers == 0 {
					delete(r.queues, q.server)
				}
				r.mu.Unlock()
				return
			}
			q.more.Wait()
		}
		n, bytes := 0, 0
		for n < len(q.calls) && n < maxPipeline && bytes < maxPipelineBytes {
			bytes += q.calls[n].bytes
			n++
		}
		batch = append(batch[:0], q.calls[:n]...)
		left := copy(q.calls, q.calls[n:])
		clear(q.calls[left:])
		q.calls = q.calls[:left]
		r.waiting -= n
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
		err := ErrBusy
		if c.tries > 0 {
			err = c.cmd.Err()
		}
		err = fmt.Errorf("run the %s script: %w", c.script.Name, err)
		r.observe(c.script.Name, now.Sub(c.began), err)
		c.done(nil, err)
	}
	return rest
}

func (r *runner) send(batch []call) {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	r.pipeline(ctx, batch, func(*call) bool { return true }, func(c *call) redis.Cmder { return c.evaluate(ctx, "evalsha", c.script.hash) })
	// A server that does not know a script, as one that has just become the master, carried nothing out.
	r.pipeline(ctx, batch, unknown, func(c *call) redis.Cmder { return c.evaluate(ctx, "eval", c.script.source) })
	var again []call
	for i := range batch {
		c := &batch[i]
		reply, err := c.cmd.Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			if refused := passes(err); refused || !isReply(err) {
				r.watch.doubt()
				if refused && time.Since(c.began)+pause(c.tries) < r.timeout {
					again = append(again, *c)
					continue
				}
			}
		}
		r.observe(c.script.Name, time.Since(c.began), err)
		if err != nil {
			err = fmt.Errorf("run the %s script: %w", c.script.Name, err)
		}
		c.done(reply, err)
	}
	r.later(again)
}

// pipeline sends the calls that are wanted, together; each has its own reply or error.
func (r *runner) pipeline(ctx context.Context, batch []call, want func(*call) bool, command func(*call) redis.Cmder) {
	pipe := r.client.Pipeline()
	for i := range batch {
		if c := &batch[i]; want(c) {
			_ = pipe.Process(ctx, command(c))
		}
	}
	if pipe.Len() > 0 {
		_, _ = pipe.Exec(ctx)
	}
}

func unknown(c *call) bool { return redis.HasErrorPrefix(c.cmd.Err(), "NOSCRIPT") }

// passes says whether an error means that nothing was carried out, and that this may soon be otherwise: a
// slot is on its way to another server, a server reads its data, or it was a master a moment ago.
func passes(err error) bool {
	return redis.IsTryAgainError(err) || redis.IsClusterDownError(err) || redis.IsLoadingError(err) || redis.IsReadOnlyError(err) ||
		redis.IsMasterDownError(err) || redis.HasErrorPrefix(err, "MOVED ") || redis.HasErrorPrefix(err, "ASK ")
}

// isReply says whether an error is an answer of Redis.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// pause is before the next try, for all the times that a call was sent before.
func pause(tries int) time.Duration { return min(firstPause<<min(tries, 10), longestPause) }

// later sends calls again that Redis could not carry out. They do not keep the others: only their own flows
// wait. The time of a call does not begin anew.
func (r *runner) later(again []call) {
	if len(again) == 0 {
		return
	}
	wait := pause(again[0].tries)
	for i := range again {
		wait = min(wait, pause(again[i].tries))
		again[i].tries++
	}
	r.mu.Lock()
	r.paused += len(again)
	r.mu.Unlock()
	r.workers.Go(func() { // a worker's own, so close does not yet wait for none
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.quit:
		}
		r.mu.Lock()
		r.paused -= len(again)
		r.mu.Unlock()
		for _, c := range again {
			r.add(c)
		}
	})
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
