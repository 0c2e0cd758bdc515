package telemetry

import (
	"log/slog"
	"sync"
	"time"
)

// The security events: what an operator looks for when somebody tries something. Each is a line of the log,
// "security", with the event, and never with a token.
const (
	SecurityOrigin  = "origin_refused"  // a page of a foreign origin
	SecurityToken   = "token_refused"   // no token, or none that is taken
	SecurityLimit   = "limit_reached"   // an address or a user has or does too much
	SecurityRight   = "right_refused"   // somebody known asked for what they have no right to
	SecurityFrame   = "frame_refused"   // a client does not speak WebSocket or the protocol
	SecurityVersion = "version_refused" // a client speaks another version of it
)

// How many lines there may be of one event: at once, and in the long run one for each securityEvery. Whoever
// attacks must not fill the disk, nor hide behind what they filled it with.
const (
	securityBurst = 20
	securityEvery = time.Second
)

// SecurityLog logs security events, a bounded number of lines of each. Nil logs nothing.
type SecurityLog struct {
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex
	events map[string]*told
}

// told is what was logged of one event.
type told struct {
	lines   int // that count against the burst
	last    time.Time
	leftOut int
}

// NewSecurityLog makes one; now is the clock, nil is time.Now.
func NewSecurityLog(log *slog.Logger, now func() time.Time) *SecurityLog {
	if now == nil {
		now = time.Now
	}
	return &SecurityLog{log: log, now: now, events: map[string]*told{}}
}

// mostValue bounds each text that a client chose, in bytes of the log.
const mostValue = 256

// Tell logs an event, one of the constants, with attributes as slog has them; long texts are cut. A line says
// how many before it were left out.
func (s *SecurityLog) Tell(event string, attrs ...any) {
	if s == nil {
		return
	}
	leftOut, ok := s.may(event)
	if !ok {
		return
	}
	all := append(make([]any, 0, len(attrs)+4), "event", event)
	for _, a := range attrs {
		if text, ok := a.(string); ok && len(text) > mostValue {
			a = text[:mostValue] + "…"
		}
		all = append(all, a)
	}
	if leftOut > 0 {
		all = append(all, "left_out", leftOut)
	}
	s.log.Warn("security", all...)
}

func (s *SecurityLog) may(event string) (leftOut int, ok bool) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.events[event]
	if t == nil {
		t = &told{last: now}
		s.events[event] = t
	}
	if again := int(now.Sub(t.last) / securityEvery); again > 0 {
		t.lines = max(0, t.lines-again)
		t.last = t.last.Add(time.Duration(again) * securityEvery)
	}
	if t.lines >= securityBurst {
		t.leftOut++
		return 0, false
	}
	t.lines++
	leftOut, t.leftOut = t.leftOut, 0
	return leftOut, true
}
