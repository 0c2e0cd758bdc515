package supervisor

import (
	"sync"
	"time"
)

// budget is how many restarts a supervisor has: max within any window, which slides.
type budget struct {
	max    int
	window time.Duration

	mu    sync.Mutex
	spent []time.Time // within the window, oldest first; at most max
}

// allows takes one restart out of the budget, if there is one left.
func (b *budget) allows(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := 0
	for old < len(b.spent) && now.Sub(b.spent[old]) >= b.window {
		old++
	}
	b.spent = append(b.spent[:0], b.spent[old:]...)
	if len(b.spent) >= b.max {
		return false
	}
	b.spent = append(b.spent, now)
	return true
}
