package supervisor

// Services is how many services s knows, without those of its children.
func (s *Supervisor) Services() int { return len(s.services.Services()) }
