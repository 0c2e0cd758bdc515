package lanes

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Handler takes what a channel brings. Its methods are called one at a time, on the goroutine that
// reads the connection: they must not block, and other channels wait while they run.
type Handler interface {
	// Message brings one message, in the order in which Redis published them.
	Message(payload string)
	// Resubscribed says that the connection was lost and the channel is subscribed again: what was
	// published in between has not come and will not.
	Resubscribed()
}

// Subscription is the interest in one channel.
type Subscription struct {
	link    *link
	channel string
	handler Handler

	settled chan struct{} // closed when the first attempt to subscribe has an outcome
	err     error         // that outcome; written before settled is closed

	// Guarded by link.mu.
	live bool // Redis confirmed it on the connection of now
	lost bool // it was live on an earlier connection
}

// Wait waits until Redis has confirmed the subscription: every message published after that arrives.
// An error says that the attempt failed; the subscription should then be closed.
func (s *Subscription) Wait(ctx context.Context) error {
	select {
	case <-s.settled:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the interest. A message on its way may still arrive.
func (s *Subscription) Close() { s.link.remove(s) }

// Listener keeps the subscriber connections: one in all, on Cluster one per lane in use. Each link
// has a goroutine that reconnects, reads and dispatches, and one that writes.
type Listener struct {
	client      redis.UniversalClient
	cluster     *redis.ClusterClient // nil unless in Cluster mode
	watch       *watch
	timeout     time.Duration
	reconnected func()
	log         *slog.Logger
	ctx         context.Context
	stop        context.CancelFunc
	running     sync.WaitGroup

	mu    sync.Mutex
	links map[string]*link
}

func newListener(client redis.UniversalClient, watch *watch, timeout time.Duration, reconnected func(), log *slog.Logger) *Listener {
	if reconnected == nil {
		reconnected = func() {}
	}
	l := &Listener{client: client, cluster: watch.cluster, watch: watch, timeout: timeout, reconnected: reconnected, log: log, links: map[string]*link{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// Subscribe starts listening to a channel; h hears of it from the moment that Wait returns nil.
// A channel has one subscription at a time: the one before must have been closed.
func (l *Lanes) Subscribe(channel string, h Handler) *Subscription {
	return l.listener.subscribe(channel, h)
}

func (l *Listener) subscribe(channel string, h Handler) *Subscription {
	key := ""
	if l.cluster != nil {
		key = tag(channel)
	}
	s := &Subscription{channel: channel, handler: h, settled: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.links[key]
	if k == nil {
		k = &link{listener: l, key: key, wanted: map[string]*Subscription{}, wire: map[string]wireState{}, wake: make(chan struct{}, 1)}
		l.links[key] = k
		if l.ctx.Err() == nil {
			l.running.Go(k.run)
		}
	}
	s.link = k
	k.add(s)
	return s
}

func (l *Listener) close() {
	l.stop()
	l.running.Wait()
}

// wireState is what the connection knows of a channel; absent means nothing.
type wireState int

const (
	wireAsked     wireState = iota + 1 // SUBSCRIBE was sent
	wireConfirmed                      // Redis confirmed it
)

// link is one subscriber connection and what is wanted of it. Wanting and having are kept apart:
// whoever adds or removes a subscription only says what is wanted, and one goroutine brings the
// connection there. So a last leave and a next join cannot race on the wire.
type link struct {
	listener *Listener
	key      string
	wake     chan struct{}

	mu     sync.Mutex
	wanted map[string]*Subscription
	wire   map[string]wireState
	dirty  []string // channels whose wanting changed
}

const (
	pingEvery      = 5 * time.Second
	lookEvery      = time.Second   // where the channels' server is
	silentFor      = 3 * pingEvery // a connection that brings not even a pong is dead
	maxChannels    = 512           // channels in one SUBSCRIBE
	firstBackoff   = 20 * time.Millisecond
	longestBackoff = 2 * time.Second
)

var (
	errMoved = errors.New("the channel moved to another server")
	errIdle  = errors.New("nothing is wanted of the connection")
)

func (k *link) add(s *Subscription) {
	k.mu.Lock()
	k.wanted[s.channel] = s
	if k.wire[s.channel] == wireConfirmed {
		s.live = true
		close(s.settled)
	} else {
		k.dirty = append(k.dirty, s.channel)
	}
	k.mu.Unlock()
	k.kick()
}

func (k *link) remove(s *Subscription) {
	k.mu.Lock()
	if k.wanted[s.channel] == s {
		delete(k.wanted, s.channel)
		k.dirty = append(k.dirty, s.channel)
	}
	k.mu.Unlock()
	k.kick()
}

func (k *link) kick() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run keeps the link connected while anything is wanted of it.
func (k *link) run() {
	l := k.listener
	backoff := firstBackoff
	hadConnection := false
	for l.ctx.Err() == nil {
		if k.idle() {
			if k.retire() {
				return
			}
			select {
			case <-k.wake:
			case <-l.ctx.Done():
			}
			continue
		}
		connected, err := k.serve(hadConnection)
		if l.ctx.Err() != nil {
			break
		}
		if errors.Is(err, errIdle) {
			k.disconnected(nil)
			continue
		}
		if connected {
			hadConnection, backoff = true, firstBackoff
			l.log.Warn("lost the subscriber connection to Redis", "lane", k.key, "error", err)
		}
		k.disconnected(err)
		l.watch.doubt()
		timer := time.NewTimer(backoff)
		select {
		case <-timer.C:
		case <-l.ctx.Done():
		}
		timer.Stop()
		backoff = min(2*backoff, longestBackoff)
	}
	k.disconnected(ErrClosed)
}

func (k *link) idle() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.wanted) == 0
}

// retire takes a lane's link out when nothing is wanted of it. The one link of the other modes stays.
func (k *link) retire() bool {
	l := k.listener
	if l.cluster == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !k.idle() {
		return false
	}
	delete(l.links, k.key)
	return true
}

// serve runs one connection until it fails or nothing is wanted of it any more.
func (k *link) serve(again bool) (connected bool, err error) {
	l := k.listener
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	var at atomic.Value // a string: where the server is that this connection goes to
	at.Store("")
	ctx = context.WithValue(ctx, ownAddr{}, &at)
	var ps *redis.PubSub
	if l.cluster != nil {
		at.Store(l.watch.of(ctx, k.probe()))
		ps = l.client.SSubscribe(ctx)
	} else {
		ps = l.client.Subscribe(ctx)
	}
	defer func() { _ = ps.Close() }()
	k.mu.Lock()
	k.dirty = k.dirty[:0]
	for channel := range k.wanted {
		k.dirty = append(k.dirty, channel)
	}
	k.mu.Unlock()
	if err := k.reconcile(ctx, ps); err != nil {
		return false, err
	}

	writing := make(chan error, 1)
	var writer sync.WaitGroup
	writer.Go(func() {
		writing <- k.write(ctx, ps, &at)
		_ = ps.Close() // wakes the reader
	})
	defer writer.Wait()
	defer cancel()
	for {
		message, err := ps.ReceiveTimeout(ctx, silentFor)
		if err != nil {
			cancel()
			return connected, cmp.Or(<-writing, err)
		}
		if !connected {
			connected = true
			if again {
				l.reconnected()
			}
		}
		if err := k.take(message); err != nil {
			return connected, err
		}
	}
}

// probe is a name in the slot of the link's channels.
func (k *link) probe() string { return "{" + k.key + "}" }

// write brings the connection to what is wanted, pings, and looks whether the server at the other end is
// still the one that the channels are published on. A lane's connection ends with errIdle when nothing was
// wanted of it for about as long as a ping is apart: flows come and go.
func (k *link) write(ctx context.Context, ps *redis.PubSub, at *atomic.Value) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
			err = k.reconcile(ctx, ps)
		case <-tick.C:
			if k.listener.cluster != nil && k.idle() {
				return errIdle
			}
			err = ps.Ping(ctx)
		case <-look.C:
			if now := k.listener.watch.of(ctx, k.probe()); now != at.Load() && now != "" {
				return errMoved
			}
		}
		if err != nil {
			return err
		}
	}
}

func (k *link) reconcile(ctx context.Context, ps *redis.PubSub) error {
	for {
		var on, off []string
		k.mu.Lock()
		n := 0
		for n < len(k.dirty) && len(on)+len(off) < maxChannels {
			channel := k.dirty[n]
			n++
			switch wanted := k.wanted[channel] != nil; {
			case wanted && k.wire[channel] == 0:
				k.wire[channel] = wireAsked
				on = append(on, channel)
			case !wanted && k.wire[channel] == wireConfirmed:
				// One that is only asked for is looked at again when its confirmation comes.
				delete(k.wire, channel)
				off = append(off, channel)
			}
		}
		k.dirty = append(k.dirty[:0], k.dirty[n:]...)
		done := len(k.dirty) == 0
		k.mu.Unlock()
		if err := k.send(ctx, ps, on, off); err != nil {
			return err
		}
		if done {
			return nil
		}
	}
}

func (k *link) send(ctx context.Context, ps *redis.PubSub, on, off []string) error {
	subscribe, unsubscribe := ps.Subscribe, ps.Unsubscribe
	if k.listener.cluster != nil {
		subscribe, unsubscribe = ps.SSubscribe, ps.SUnsubscribe
	}
	if len(off) > 0 {
		if err := unsubscribe(ctx, off...); err != nil {
			return err
		}
	}
	if len(on) > 0 {
		return subscribe(ctx, on...)
	}
	return nil
}

func (k *link) take(message any) error {
	switch m := message.(type) {
	case *redis.Message:
		k.mu.Lock()
		s := k.wanted[m.Channel]
		live := s != nil && s.live
		k.mu.Unlock()
		if live {
			s.handler.Message(m.Payload)
		}
	case *redis.Subscription:
		switch m.Kind {
		case "subscribe", "ssubscribe":
			k.confirmed(m.Channel)
		case "sunsubscribe":
			k.mu.Lock()
			moved := k.wire[m.Channel] == wireConfirmed
			k.mu.Unlock()
			if moved { // nobody asked for it: the slot went elsewhere
				return errMoved
			}
		}
	}
	return nil
}

func (k *link) confirmed(channel string) {
	k.mu.Lock()
	k.wire[channel] = wireConfirmed
	s := k.wanted[channel]
	again := false
	switch {
	case s == nil:
		k.dirty = append(k.dirty, channel)
	case s.lost:
		s.live, s.lost, again = true, false, true
	case !s.live:
		s.live = true
		s.settle(nil)
	}
	k.mu.Unlock()
	if s == nil {
		k.kick()
	}
	if again {
		s.handler.Resubscribed()
	}
}

// disconnected forgets what the connection knew. Subscriptions that were live come back by
// themselves; the others learn that the attempt failed, if it did: err is nil where the connection ended
// on purpose and they only came at that moment.
func (k *link) disconnected(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.wire)
	for _, s := range k.wanted {
		if s.live {
			s.live, s.lost = false, true
		}
		if !s.lost && err != nil {
			s.settle(err)
		}
	}
}

// settle tells Wait the outcome of the first attempt; later ones change nothing. The caller holds
// link.mu.
func (s *Subscription) settle(err error) {
	select {
	case <-s.settled:
	default:
		s.err = err
		close(s.settled)
	}
}
