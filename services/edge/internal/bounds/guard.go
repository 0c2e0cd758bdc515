package bounds

import (
	"context"
	"net/netip"
	"time"

	"helix/edge/internal/peer"
	"helix/shared/telemetry"
)

// Options of a Guard.
type Options struct {
	Address Limits // of one IPv4 address, or one IPv6 network of 64 bits
	User    Limits // of one user, where users are known
	// Connections bounds the open connections of one address; 0: not.
	Connections int
	Metrics     *telemetry.Metrics
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// MostKeys bounds the addresses, and the users, that are counted one by one; 0 is 131,072.
	MostKeys int
}

// Guard counts. It is safe for concurrent use.
type Guard struct {
	metrics   *telemetry.Metrics
	addresses *table[netip.Addr]
	users     *table[string]
	conns     *table[netip.Addr] // its sockets are connections
}

// New makes a Guard. Somebody must run its Serve, or nothing is ever forgotten.
func New(o Options) *Guard {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MostKeys == 0 {
		o.MostKeys = mostKeys
	}
	return &Guard{
		metrics:   o.Metrics,
		addresses: newTable[netip.Addr]("address", o.Address, o.MostKeys, o.Now),
		users:     newTable[string]("user", o.User, o.MostKeys, o.Now),
		conns:     newTable[netip.Addr]("connection", Limits{Sockets: o.Connections}, o.MostKeys, o.Now),
	}
}

// sweepEvery is how often one shard of each table is swept: all of them in as many times.
const sweepEvery = time.Second

// Serve forgets what need not be known any more, until ctx ends: a service of the tree.
func (g *Guard) Serve(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var addresses, users [shards]int
	for i := 0; ; i = (i + 1) % shards {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			g.conns.sweep(i)
			addresses[i], users[i] = g.addresses.sweep(i), g.users.sweep(i)
			g.metrics.Guarded.WithLabelValues("address").Set(float64(sum(addresses)))
			g.metrics.Guarded.WithLabelValues("user").Set(float64(sum(users)))
		}
	}
}

func sum(counts [shards]int) (all int) {
	for _, n := range counts {
		all += n
	}
	return all
}

// Guest is who has a socket. The zero Guest has none, and no bounds. It is used by one goroutine at a time.
type Guest struct {
	guard   *Guard
	address *place
	user    *place
}

// Connect takes a place for a new socket from an address. Without an error the Guest must Leave.
func (g *Guard) Connect(address netip.Addr) (Guest, *Refused) {
	q := Guest{guard: g}
	if g.addresses.off() {
		return q, nil
	}
	p, refused := g.addresses.open(peer.Network(address))
	if refused != nil {
		return Guest{}, refused
	}
	q.address = p
	return q, nil
}

// Identify takes a place for the Guest's user too; an empty name is nobody's. With an error the Guest has
// what it had.
func (q *Guest) Identify(user string) *Refused {
	if q.guard == nil || user == "" || q.guard.users.off() {
		return nil
	}
	p, refused := q.guard.users.open(user)
	if refused == nil {
		q.user = p
	}
	return refused
}

// Join spends a join.
func (q *Guest) Join() (refused *Refused) {
	if q.address != nil {
		refused = q.guard.addresses.join(q.address)
	}
	if refused == nil && q.user != nil {
		refused = q.guard.users.join(q.user)
	}
	return refused
}

// Leave gives the places back.
func (q *Guest) Leave() {
	if q.address != nil {
		q.address.close()
	}
	if q.user != nil {
		q.user.close()
	}
	*q = Guest{}
}

// Request spends a request of an address.
func (g *Guard) Request(address netip.Addr) *Refused {
	return g.addresses.request(peer.Network(address))
}

// UserRequest spends a request of a user; an empty name is nobody's.
func (g *Guard) UserRequest(user string) *Refused {
	if user == "" {
		return nil
	}
	return g.users.request(user)
}
