package lanes

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// embedded is an in-process stand-in for Redis. It lets a developer run Helix with nothing installed;
// it keeps nothing and serves one process.
type embedded struct {
	server *miniredis.Miniredis
	url    string
	quit   chan struct{}
	clock  sync.WaitGroup
}

// clockStep is how often the stand-in's TTLs move: it does not count time by itself.
const clockStep = 20 * time.Millisecond

func startEmbedded() (*embedded, error) {
	password := rand.Text() // it listens on loopback: other users of the machine stay out
	server := miniredis.NewMiniRedis()
	server.RequireAuth(password)
	if err := server.Start(); err != nil {
		return nil, err
	}
	e := &embedded{server: server, url: "redis://:" + password + "@" + server.Addr() + "/0", quit: make(chan struct{})}
	e.clock.Go(e.runClock)
	return e, nil
}

func (e *embedded) runClock() {
	tick := time.NewTicker(clockStep)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-e.quit:
			return
		case now := <-tick.C:
			e.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// stop ends the stand-in; on nil it does nothing.
func (e *embedded) stop() {
	if e == nil {
		return
	}
	close(e.quit)
	e.clock.Wait()
	e.server.Close()
}
