package socket

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Writers write the queues of all sockets. A few goroutines do it with non-blocking writes, instead
// of one goroutine per client: a delivery to a client that keeps up costs one write call and no
// switch of goroutines, and an idle client has no goroutine for writing at all. Frames that gather
// while the others are served leave in one write.
//
// A client whose kernel buffer is full gets a goroutine of its own until it has caught up.
type Writers struct {
	workers []*writer
	slow    sync.WaitGroup
	next    uint32
}

const (
	writeChunk   = 64 << 10         // the most that one write call gathers
	writeTimeout = 20 * time.Second // of a blocked client: past it the connection is dead
)

// NewWriters makes the writers of an edge; they start with Serve.
func NewWriters() *Writers {
	w := &Writers{}
	for range runtime.GOMAXPROCS(0) {
		w.workers = append(w.workers, newWriter(w))
	}
	return w
}

// Serve writes until ctx ends. Sockets must be closed before.
func (w *Writers) Serve(ctx context.Context) error {
	var running sync.WaitGroup
	for _, worker := range w.workers {
		worker.start()
		running.Go(worker.run)
	}
	<-ctx.Done()
	for _, worker := range w.workers {
		worker.stop()
	}
	running.Wait()
	w.slow.Wait()
	return ctx.Err()
}

type writer struct {
	all     *Writers
	attempt func(fd uintptr) bool // made once: a closure per write would be an allocation per write
	out     []byte                // what attempt writes
	wrote   int
	err     error
	chunk   []byte
	frames  [][]byte

	mu    sync.Mutex
	more  sync.Cond
	ready []*Socket
	done  bool
}

func newWriter(all *Writers) *writer {
	w := &writer{all: all, chunk: make([]byte, 0, writeChunk)}
	w.more.L = &w.mu
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

func (w *writer) start() {
	w.mu.Lock()
	w.done = false
	w.mu.Unlock()
}

func (w *writer) stop() {
	w.mu.Lock()
	w.done = true
	w.mu.Unlock()
	w.more.Signal()
}

// add puts a socket in line; it must not be there already.
func (w *writer) add(s *Socket) {
	w.mu.Lock()
	w.ready = append(w.ready, s)
	first := len(w.ready) == 1
	w.mu.Unlock()
	if first {
		w.more.Signal()
	}
}

func (w *writer) run() {
	var batch []*Socket
	for {
		w.mu.Lock()
		for len(w.ready) == 0 && !w.done {
			w.more.Wait()
		}
		if len(w.ready) == 0 {
			w.mu.Unlock()
			return
		}
		batch, w.ready = w.ready, batch[:0]
		w.mu.Unlock()
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
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.broken()
	case rest != nil:
		s.server.metrics.SlowWrites.Inc()
		s.blocked = len(rest)
		w.all.slow.Go(func() { s.writeSlowly(rest) })
	case !s.queue.empty():
		w.add(s)
	default:
		s.written()
	}
}

// write writes frames without waiting; rest is a copy of what the kernel did not take.
func (w *writer) write(s *Socket, frames [][]byte) (rest []byte, err error) {
	if s.raw == nil { // a connection without a file descriptor
		for _, f := range frames {
			rest = append(rest, f...)
		}
		return rest, nil
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
		frames = frames[n:]
		if err := s.raw.Write(w.attempt); err != nil {
			return nil, err
		}
		if w.err != nil && !errors.Is(w.err, syscall.EAGAIN) {
			return nil, w.err
		}
		if wrote := max(w.wrote, 0); wrote < len(w.out) {
			rest = append(rest, w.out[wrote:]...)
			for _, f := range frames {
				rest = append(rest, f...)
			}
			return rest, nil
		}
	}
	w.out = nil
	return nil, nil
}
