package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"
)

// memory gives memory back to the machine when a storm is over: a service of the tree. Go keeps what it
// freed for as long as its heap may grow back to it, which on an edge with ten thousand idle sockets is
// a third of all it has.
type memory struct{}

const (
	memoryLooks = 5 * time.Second
	memoryRests = time.Minute // between two collections: one costs some milliseconds of CPU
	memoryWorth = 8 << 20     // bytes to be gained at least
	memoryQuiet = 8 << 20     // bytes that were allocated since the last look at most
)

// gcPercent lets the heap grow to three times what is alive before it is collected, where the operator
// does not say otherwise (GOGC, GOMEMLIMIT): the heap of an edge is small, and what a storm leaves
// behind, memory gives back.
const gcPercent = 200

func tuneCollector(environ []string) {
	for _, v := range environ {
		if strings.HasPrefix(v, "GOGC=") {
			return
		}
	}
	debug.SetGCPercent(gcPercent)
}

// Serve implements the supervisor's Service.
func (memory) Serve(ctx context.Context) error {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	tick := time.NewTicker(memoryLooks)
	defer tick.Stop()
	var allocated uint64
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			metrics.Read(sample)
			free, total := sample[0].Value.Uint64(), sample[1].Value.Uint64()
			quiet := total-allocated < memoryQuiet
			allocated = total
			if quiet && free > memoryWorth && now.Sub(last) >= memoryRests {
				debug.FreeOSMemory()
				last = now
			}
		}
	}
}
