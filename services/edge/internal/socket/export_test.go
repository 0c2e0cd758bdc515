package socket

import "time"

// Ending is how many sockets wait for the end of their identity.
func (v *Server) Ending() int {
	v.ends.mu.Lock()
	defer v.ends.mu.Unlock()
	return len(v.ends.heap)
}

// Waves is the plan of a Drain.
func (d Drain) Waves(clients int) (size int, spread time.Duration) { return d.waves(clients) }
