package socket

// Ending is how many sockets wait for the end of their identity.
func (v *Server) Ending() int {
	v.ends.mu.Lock()
	defer v.ends.mu.Unlock()
	return len(v.ends.heap)
}
