package socket

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Writers write the queues of all sockets. A few goroutines do it with non-blocking writes, instead
// of one goroutine per client: a delivery to a client that keeps up costs one write call and no
// switch of goroutines, and an idle client has no goroutine for writing at all. Frames that gather
// while the others are served leave in one write.
//
// Sending only queues; Flush has it written. Whoever sends calls Flush when it has nothing more to
// send for now: so a reply and the update behind it leave together, and a fan-out to a thousand
// clients wakes the writers once.
//
// A client whose kernel buffer is full gets a goroutine of its own until it has caught up.
type Writers struct {
	workers []*writer
	slow    sync.WaitGroup

	mu      sync.Mutex
	more    sync.Cond
	pending []*Socket // with something queued since the last Flush
	ready   []*Socket // for the workers
	done    bool

	inline   sync.Mutex // guards what follows
	self     *writer    // for a Flush that writes by itself
	selfList []*Socket
	selfLast time.Time
}

const (
	writeChunk   = 64 << 10    // the most that one write call gathers
	writeTimeout = time.Minute // in which a blocked client must take something: one that is dead is silent sooner
	workerTakes  = 32          // sockets that a worker takes at once

	// A Flush of so few sockets writes them itself rather than waking a worker, which costs as much as
	// a write; unless the one before ended only just now: then there is a burst, and workers let the
	// frames of a client gather.
	inlineMost = 8
	inlineGap  = 20 * time.Microsecond
)

// NewWriters makes the writers of an edge; they start with Serve.
func NewWriters() *Writers {
	w := &Writers{}
	w.more.L = &w.mu
	w.self = newWriter(w)
	for range runtime.GOMAXPROCS(0) {
		w.workers = append(w.workers, newWriter(w))
	}
	return w
}

// Serve writes until ctx ends. Sockets must be closed before.
func (w *Writers) Serve(ctx context.Context) error {
	w.mu.Lock()
	w.done = false
	w.mu.Unlock()
	var running sync.WaitGroup
	for _, worker := range w.workers {
		running.Go(worker.run)
	}
	<-ctx.Done()
	w.mu.Lock()
	w.done = true
	w.mu.Unlock()
	w.more.Broadcast()
	running.Wait()
	w.slow.Wait()
	return ctx.Err()
}

// Flush has everything written that was sent before it. It never blocks for a client.
func (w *Writers) Flush() {
	w.mu.Lock()
	n := len(w.pending)
	if n == 0 {
		w.mu.Unlock()
		return
	}
	if n <= inlineMost && w.inline.TryLock() {
		if time.Since(w.selfLast) > inlineGap {
			w.selfList = append(w.selfList[:0], w.pending...)
			clear(w.pending)
			w.pending = w.pending[:0]
			w.mu.Unlock()
			for i, s := range w.selfList {
				w.self.flush(s)
				w.selfList[i] = nil
			}
			w.selfLast = time.Now()
			w.inline.Unlock()
			return
		}
		w.inline.Unlock()
	}
	w.ready = append(w.ready, w.pending...)
	clear(w.pending)
	w.pending = w.pending[:0]
	w.mu.Unlock()
	if n > workerTakes {
		w.more.Broadcast()
	} else {
		w.more.Signal()
	}
}

// add puts a socket in line for the next Flush; it must not be in line already.
func (w *Writers) add(s *Socket) {
	w.mu.Lock()
	w.pending = append(w.pending, s)
	w.mu.Unlock()
}

// again puts a socket in line for the workers: more was queued while it was written to.
func (w *Writers) again(s *Socket) {
	w.mu.Lock()
	w.ready = append(w.ready, s)
	w.mu.Unlock()
	w.more.Signal()
}

// writer is what one goroutine needs to write.
type writer struct {
	all     *Writers
	attempt func(fd uintptr) bool // made once: a closure per write would be an allocation per write
	out     []byte                // what attempt writes
	wrote   int
	err     error
	chunk   []byte
	frames  [][]byte
}

func newWriter(all *Writers) *writer {
	w := &writer{all: all, chunk: make([]byte, 0, writeChunk)}
	w.attempt = func(fd uintptr) bool {
		for {
			w.wrote, w.err = syscall.Write(int(fd), w.out)
			if !errors.Is(w.err, syscall.EINTR) {
				return true // never wait here: a full buffer is the slow path's
			}
		}
	}
	return w
}

func (w *writer) run() {
	all := w.all
	batch := make([]*Socket, 0, workerTakes)
	for {
		all.mu.Lock()
		for len(all.ready) == 0 && !all.done {
			all.more.Wait()
		}
		if len(all.ready) == 0 {
			all.mu.Unlock()
			return
		}
		n := min(len(all.ready), workerTakes)
		batch = append(batch[:0], all.ready[:n]...)
		left := copy(all.ready, all.ready[n:])
		clear(all.ready[left:])
		all.ready = all.ready[:left]
		all.mu.Unlock()
		for i, s := range batch {
			w.flush(s)
			batch[i] = nil
		}
	}
}

// flush writes what one socket's queue holds.
func (w *writer) flush(s *Socket) {
	s.mu.Lock()
	w.frames = s.queue.take(w.frames[:0])
	s.mu.Unlock()
	rest, err := w.write(s, w.frames)
	clear(w.frames)

	s.mu.Lock()
	switch {
	case err != nil:
		s.broken()
	case rest != nil:
		s.server.metrics.SlowWrites.Inc()
		s.blocked = total(rest)
		w.all.slow.Go(func() { s.writeSlowly(rest) })
	case !s.queue.empty():
		s.settle()
		w.all.again(s)
	default:
		s.written()
	}
	hungry := s.takeHungry()
	s.mu.Unlock()
	feed(hungry)
}

// write writes frames without waiting; rest is what the kernel did not take. The list is the caller's, the
// frames are shared still.
func (w *writer) write(s *Socket, frames [][]byte) (rest [][]byte, err error) {
	if s.raw == nil { // a connection without a file descriptor
		return slices.Clone(frames), nil
	}
	for len(frames) > 0 {
		w.out = frames[0]
		n := 1
		if len(frames) > 1 && len(frames[0])+len(frames[1]) <= writeChunk {
			w.chunk = w.chunk[:0]
			for n = 0; n < len(frames) && (n == 0 || len(w.chunk)+len(frames[n]) <= writeChunk); n++ {
				w.chunk = append(w.chunk, frames[n]...)
			}
			w.out = w.chunk
		}
		if err := s.raw.Write(w.attempt); err != nil {
			return nil, err
		}
		if w.err != nil && !errors.Is(w.err, syscall.EAGAIN) {
			return nil, w.err
		}
		wrote := max(w.wrote, 0)
		if wrote < len(w.out) {
			return slices.Clone(behind(frames, wrote)), nil
		}
		frames = frames[n:]
	}
	w.out = nil
	return nil, nil
}

// behind gives what comes after so many bytes of frames, in the place of the frames themselves.
func behind(frames [][]byte, bytes int) [][]byte {
	for bytes >= len(frames[0]) {
		bytes -= len(frames[0])
		frames = frames[1:]
	}
	frames[0] = frames[0][bytes:]
	return frames
}
