package main

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// balance chooses edges as a load balancer does: the one with the fewest connections of those that were
// ready when it looked last. The connections themselves do not pass through it, for their bytes would
// be the generator's load.
type balance struct {
	looking sync.WaitGroup
	stop    chan struct{}

	mu      sync.Mutex
	backend []*backend
}

type backend struct {
	edge  string // ws://host:port
	ready bool
	open  int
}

// lookEvery is how often a balancer asks for /readyz.
const lookEvery = 500 * time.Millisecond

var errNobodyReady = errors.New("no edge is ready")

func newBalance() *balance {
	b := &balance{stop: make(chan struct{})}
	b.looking.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-b.stop:
				return
			case <-tick.C:
				b.look()
			}
		}
	})
	return b
}

// close ends the balancer's looking and waits for it.
func (b *balance) close() {
	close(b.stop)
	b.looking.Wait()
}

// add takes an edge in that is ready.
func (b *balance) add(edge string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backend = append(b.backend, &backend{edge: edge, ready: true})
}

// remove forgets an edge that has ended.
func (b *balance) remove(edge string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, x := range b.backend {
		if x.edge == edge {
			b.backend = append(b.backend[:i], b.backend[i+1:]...)
			return
		}
	}
}

// open counts a connection to the edge that is chosen for it.
func (b *balance) open() (*backend, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var least *backend
	for _, x := range b.backend {
		if x.ready && (least == nil || x.open < least.open) {
			least = x
		}
	}
	if least == nil {
		return nil, errNobodyReady
	}
	least.open++
	return least, nil
}

func (b *balance) closed(x *backend) {
	b.mu.Lock()
	x.open--
	b.mu.Unlock()
}

// on is how many connections an edge has.
func (b *balance) on(edge string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range b.backend {
		if x.edge == edge {
			return x.open
		}
	}
	return 0
}

var looker = &http.Client{Timeout: 2 * time.Second}

func (b *balance) look() {
	b.mu.Lock()
	all := append([]*backend(nil), b.backend...)
	b.mu.Unlock()
	for _, x := range all {
		response, err := looker.Get("http" + x.edge[len("ws"):] + "/readyz")
		ready := err == nil && response.StatusCode == http.StatusOK
		if err == nil {
			_ = response.Body.Close()
		}
		b.mu.Lock()
		x.ready = ready
		b.mu.Unlock()
	}
}
