// Package bounds limits what one address, and one user, may have of an edge: open sockets, new sockets a
// second, joins a second, requests of the HTTP API a second. The limits of one client's changes and
// signals are the channel's; these bound how many such clients one may be.
//
// Each edge counts for itself: what one has on another is not known here. Nothing stands on the way of a
// change. There is no goroutine for an address, and what is known of one is forgotten once it has no socket
// and its rates are whole again.
package bounds

import (
	"math"
	"time"
)

// Burst is how many seconds of a rate may be used at once: a flow's members come back together when their
// edge restarts, and then are quiet.
const Burst = 4

// Limits bound one address, or one user. 0 is no bound.
type Limits struct {
	Sockets     int // open
	SocketRate  int // new ones a second
	JoinRate    int // a second, on all sockets
	RequestRate int // of the HTTP API, a second
}

// Refused says which bound was met.
type Refused struct {
	// Why is for metrics and logs: address_sockets, address_socket_rate, address_join_rate,
	// address_request_rate, and the same of the user.
	Why string
	// RetryAfter is when it may go better.
	RetryAfter time.Duration
}

func (r *Refused) Error() string { return "over the bound " + r.Why }

// Seconds is RetryAfter as the header Retry-After has it: whole ones, and not none.
func (r *Refused) Seconds() int { return max(1, int(math.Ceil(r.RetryAfter.Seconds()))) }

// fullRetry is when to come back for a socket where all are taken: nobody knows when one ends.
const fullRetry = 10 * time.Second

// The rates that are counted for each key.
const (
	ofSockets = iota
	ofJoins
	ofRequests
	kinds
)

var rateNames = [kinds]string{"_socket_rate", "_join_rate", "_request_rate"}

func (l Limits) rates() [kinds]float64 {
	return [kinds]float64{float64(l.SocketRate), float64(l.JoinRate), float64(l.RequestRate)}
}

// bucket is a token bucket: spent tokens come back at a rate. The zero bucket is full, so that one that is
// full need not be kept.
type bucket struct {
	spent float64
	at    time.Duration // since the table's beginning
}

// take spends a token, or says how long until there is one. Rate 0 is no bound.
func (b *bucket) take(now time.Duration, rate float64) (wait time.Duration) {
	if rate <= 0 {
		return 0
	}
	b.settle(now, rate)
	if b.spent+1 > rate*Burst {
		return time.Duration((b.spent + 1 - rate*Burst) / rate * float64(time.Second))
	}
	b.spent++
	return 0
}

func (b *bucket) settle(now time.Duration, rate float64) {
	if now > b.at { // callers read the clock before they have the lock
		b.spent = max(0, b.spent-(now-b.at).Seconds()*rate)
		b.at = now
	}
}
