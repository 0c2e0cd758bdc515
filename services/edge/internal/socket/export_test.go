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

// Waiting is how many bytes of documents wait for all clients.
func (v *Server) Waiting() int {
	v.wholes.mu.Lock()
	defer v.wholes.mu.Unlock()
	return v.wholes.bytes
}

// WaitingOf is the same of one.
func (v *Server) WaitingOf(s *Socket) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reserved
}
