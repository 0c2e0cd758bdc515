package api

import (
	"container/list"
	"context"
	"net/http"
	"sync"
	"time"

	"helix/shared/flows"
)

// What documents cost an edge. One of 8 MiB may be hundreds of megabytes while it is taken apart, and its
// answer is held for as long as its reader takes: both are bounded for all requests together.
const (
	// documentsAtOnce are read from Redis, or put there, at the same time; others wait in line, no longer
	// than a request may take.
	documentsAtOnce = 8
	// mostAnswered bounds the documents that are being sent, in bytes. Past it the answer ends whose client
	// has been reading for longest.
	mostAnswered = 256 << 20
)

// slots lets a bounded number of requests in at once.
type slots chan struct{}

// enter waits for a place, which leave gives back. Its error is flows.ErrUnavailable.
func (s slots) enter(ctx context.Context) (leave func(), err error) {
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	case <-ctx.Done():
		return nil, flows.ErrUnavailable.Because(ctx.Err())
	}
}

// inTurn calls f when it is its turn.
func inTurn[T any](ctx context.Context, s slots, f func() (T, error)) (result T, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return result, err
	}
	defer leave()
	return f()
}

// answers are the documents that are being sent.
type answers struct {
	most int

	mu    sync.Mutex
	bytes int
	under list.List // of answer, the one that has been sent for longest first
}

type answer struct {
	to    *http.ResponseController
	bytes int
}

// hold counts an answer until done is called, and cuts off others where there is too much of them.
func (a *answers) hold(w http.ResponseWriter, bytes int) (done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes += bytes
	place := a.under.PushBack(answer{http.NewResponseController(w), bytes})
	for over, e := a.bytes-a.most, a.under.Front(); over > 0 && e != place; e = e.Next() {
		oldest := e.Value.(answer)
		over -= oldest.bytes
		_ = oldest.to.SetWriteDeadline(time.Now())
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.bytes -= bytes
		a.under.Remove(place)
	}
}
