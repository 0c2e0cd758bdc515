package socket

import "time"

// pace bounds the frames that are taken from one client a second: pings, heartbeats and messages that nobody
// knows are not bounded by any channel. Who sends more is not refused anything, but read more slowly: the
// rest waits in the client's own kernel.
type pace struct {
	spent float32
	at    instant
}

const (
	paceBurst = 4 // seconds of the rate that may come at once
	mostPause = time.Second
)

// keep counts frames, and pauses where there are too many.
func (p *pace) keep(frames int, now instant, rate int) {
	if rate == 0 {
		return
	}
	if pause := p.count(frames, now, float32(rate)); pause > 0 {
		time.Sleep(pause)
	}
}

func (p *pace) count(frames int, now instant, rate float32) (pause time.Duration) {
	if gone := now - p.at; gone > 0 {
		p.spent = max(0, p.spent-float32(gone.Seconds())*rate)
		p.at = now
	}
	p.spent += float32(frames)
	over := p.spent - rate*paceBurst
	if over <= 0 {
		return 0
	}
	return min(time.Duration(over/rate*float32(time.Second)), mostPause)
}
