// Package faults breaks a cluster by plan, and puts it together again. The plan is a pure function of
// its seed: the same seed breaks the same things at the same times.
package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of fault.
type Kind string

// The kinds of faults.
const (
	EdgeKill      Kind = "edge-kill"      // kill -9; started again later
	EdgeStop      Kind = "edge-stop"      // SIGTERM; started again later
	EdgePause     Kind = "edge-pause"     // SIGSTOP for longer than the lease
	RedisKill     Kind = "redis-kill"     // kill -9 of a Redis that keeps all it acknowledged; started again later
	RedisPause    Kind = "redis-pause"    // SIGSTOP
	Flush         Kind = "flush"          // FLUSHALL: Redis forgets everything
	RedisEmpty    Kind = "redis-empty"    // kill -9, and started again without its data
	RedisOlder    Kind = "redis-older"    // kill -9, and started again with its data of some seconds before
	MasterKill    Kind = "master-kill"    // kill -9 of a master: a replica takes over, and it comes back as one
	MasterPause   Kind = "master-pause"   // SIGSTOP of a master until a replica has taken over
	MasterLost    Kind = "master-lost"    // kill -9 of a master whose replicas lag: what they had not got is lost
	Failover      Kind = "failover"       // a failover that an operator asks for
	SentinelKill  Kind = "sentinel-kill"  // kill -9 of one sentinel; started again later
	Reshard       Kind = "reshard"        // every flow's slot moves to another master, with its keys
	CloseSession  Kind = "close-session"  // a flow's session is ended over HTTP: all its clients must join again
	KillPubSub    Kind = "kill-pubsub"    // CLIENT KILL TYPE pubsub
	KillNormal    Kind = "kill-normal"    // CLIENT KILL TYPE normal
	CutPubSub     Kind = "cut-pubsub"     // one edge's subscriber connection is reset
	CutCommands   Kind = "cut-commands"   // some of one edge's command connections are reset
	CutClients    Kind = "cut-clients"    // some of one edge's clients are reset
	DelayPubSub   Kind = "delay-pubsub"   // one edge hears what is published late
	DelayCommands Kind = "delay-commands" // one edge's commands take long
	DelayClients  Kind = "delay-clients"  // one edge is far from its clients
	StallPubSub   Kind = "stall-pubsub"   // one edge hears nothing, on a connection that lives
	StallCommands Kind = "stall-commands" // one edge gets no answers, on connections that live
)

// Kinds are all kinds.
var Kinds = []Kind{
	EdgeKill, EdgeStop, EdgePause, RedisKill, RedisPause, Flush, RedisEmpty, RedisOlder, KillPubSub, KillNormal,
	CutPubSub, CutCommands, CutClients,
	DelayPubSub, DelayCommands, DelayClients, StallPubSub, StallCommands, CloseSession,
	MasterKill, MasterPause, MasterLost, Failover, SentinelKill, Reshard,
}

// ParseKinds reads a list of a mode's kinds: "all", "none", or names with commas between; a name behind a
// "-" is taken out again.
func ParseKinds(text string, of Mode) ([]Kind, error) {
	there := of.Kinds()
	var list []Kind
	for word := range strings.SplitSeq(text, ",") {
		name, out := strings.CutPrefix(strings.TrimSpace(word), "-")
		switch {
		case name == "none" || name == "":
		case name == "all":
			list = slices.Clone(there)
		case !slices.Contains(there, Kind(name)):
			return nil, fmt.Errorf("no kind of fault is called %q with Redis as %s; there are %v", name, of, there)
		case out:
			list = slices.DeleteFunc(list, func(k Kind) bool { return k == Kind(name) })
		case !slices.Contains(list, Kind(name)):
			list = append(list, Kind(name))
		}
	}
	return list, nil
}

// Fault is one thing that fails.
type Fault struct {
	At    time.Duration // from the beginning of its round
	Kind  Kind
	Edge  int           // whose; of faults that are an edge's
	Flow  int           // of a session that is closed
	For   time.Duration // until it is healed; 0: it is over at once
	Count int           // connections, of a cut; -1: all
	Late  time.Duration // of a delay
}

func (f Fault) String() string {
	text := string(f.Kind)
	if !f.Kind.ofRedis() {
		text += fmt.Sprintf(" of edge %d", f.Edge)
	}
	if f.Kind == CloseSession || f.Kind.replaces() {
		text += fmt.Sprintf(", of flow %d", f.Flow)
	}
	if f.Count != 0 {
		text += fmt.Sprintf(", %d connections", f.Count)
	}
	if f.Late > 0 {
		text += fmt.Sprintf(" by %v", f.Late)
	}
	if f.For > 0 {
		text += fmt.Sprintf(" for %v", f.For)
	}
	return text
}

func (k Kind) ofRedis() bool {
	switch k {
	case RedisKill, RedisPause, Flush, RedisEmpty, RedisOlder, KillPubSub, KillNormal:
		return true
	}
	return k.replaces() || k == SentinelKill || k == Reshard
}

// replaces says whether another server becomes the master.
func (k Kind) replaces() bool {
	return k == MasterKill || k == MasterPause || k == MasterLost || k == Failover
}

// forgets says whether Redis loses what it had acknowledged.
func (k Kind) forgets() bool {
	return k == Flush || k == RedisEmpty || k == RedisOlder || k == MasterLost
}

// outage says whether the edge cannot serve meanwhile.
func (k Kind) outage() bool { return k == EdgeKill || k == EdgeStop || k == EdgePause }

// Options of a plan.
type Options struct {
	Seed     uint64
	Kinds    []Kind
	Edges    int
	Flows    int
	Lease    time.Duration
	Timeout  time.Duration // of the edges' round trips to Redis
	Duration time.Duration // of a round
}

const (
	// Around a loss everything else is well, for so long before that all edges have heard what was
	// acknowledged, and so long after that they have put it back.
	calmBefore = 2500 * time.Millisecond
	calmAfter  = 3 * time.Second
	// An edge that was started again is left alone for a moment.
	recovery = time.Second
	// Everything is healed so long before the round ends.
	healedBefore = 300 * time.Millisecond
)

// Plan gives the faults of one round, by time.
//
// What it must not do is break what no promise holds for. Redis has what was acknowledged on its disk
// before the answer (appendfsync always), or at its replicas, so it may be killed at any time, with whichever edges. When it
// forgets (flush, redis-empty, redis-older, master-lost), what was acknowledged is in the memory of the edges that hold the document: so no
// edge is killed, paused or cut off around that moment. One edge at least is always up, or the clients'
// retries would only measure patience.
func Plan(o Options, round int) []Fault {
	random := rand.New(rand.NewPCG(o.Seed, uint64(round)))
	var plan []Fault
	if len(o.Kinds) == 0 {
		return nil
	}
	// So many in a round that they meet now and then, and that each edge is also well at times.
	wanted := 3 + random.IntN(int(max(o.Duration/(1500*time.Millisecond), 1)))
	// Where there are replicas and slots that move most rounds are about them: they are few of many kinds.
	if rare := o.rare(); len(rare) > 0 && random.IntN(4) > 0 {
		if f := draw(random, o, rare); f.At+f.For+healedBefore <= o.Duration {
			plan = append(plan, f)
		}
	}
	for range 20 * wanted {
		if len(plan) >= wanted {
			break
		}
		f := draw(random, o, o.Kinds)
		if f.At+f.For+healedBefore <= o.Duration && o.allows(plan, f) {
			plan = append(plan, f)
		}
	}
	slices.SortStableFunc(plan, func(a, b Fault) int { return int(a.At - b.At) })
	return plan
}

// rare are the kinds that need more servers than one.
func (o Options) rare() (list []Kind) {
	for _, k := range o.Kinds {
		if k.replaces() || k == Reshard {
			list = append(list, k)
		}
	}
	return list
}

func draw(random *rand.Rand, o Options, kinds []Kind) Fault {
	f := Fault{Kind: kinds[random.IntN(len(kinds))]}
	f.At = 200*time.Millisecond + time.Duration(random.Int64N(int64(max(o.Duration-500*time.Millisecond, 1))))
	if !f.Kind.ofRedis() {
		f.Edge = random.IntN(o.Edges)
	}
	between := func(low, high time.Duration) time.Duration {
		return low + time.Duration(random.Int64N(int64(high-low))).Round(time.Millisecond)
	}
	switch f.Kind {
	case EdgeKill, EdgeStop:
		f.For = between(200*time.Millisecond, o.Lease*3/2)
	case EdgePause:
		f.For = between(o.Lease, 2*o.Lease)
	case RedisKill:
		f.For = between(50*time.Millisecond, 2*o.Timeout)
	case RedisPause, StallCommands:
		f.For = between(100*time.Millisecond, 2*o.Timeout)
	case RedisOlder: // so much of its newest data is lost
		f.For = between(300*time.Millisecond, 2*time.Second)
	case StallPubSub:
		f.For = between(300*time.Millisecond, 2*o.Lease)
	case CloseSession, MasterKill, MasterPause, Failover:
		f.Flow = random.IntN(max(o.Flows, 1))
	case MasterLost: // so long its replicas lag
		f.Flow = random.IntN(max(o.Flows, 1))
		f.For = between(300*time.Millisecond, 1500*time.Millisecond)
	case SentinelKill:
		f.Edge, f.For = random.IntN(o.Edges), between(500*time.Millisecond, 3*time.Second)
	case CutPubSub:
		f.Count = 1
	case CutCommands, CutClients:
		if f.Count = 1 + random.IntN(4); random.IntN(4) == 0 {
			f.Count = -1
		}
	case DelayPubSub, DelayCommands, DelayClients:
		f.For = between(500*time.Millisecond, 3*time.Second)
		f.Late = between(20*time.Millisecond, 400*time.Millisecond)
	}
	f.At = f.At.Round(time.Millisecond)
	return f
}

func (o Options) allows(plan []Fault, f Fault) bool {
	down := 1
	for _, g := range plan {
		if calm(f, g) || calm(g, f) || apart(f, g) || apart(g, f) {
			return false
		}
		if !together(f, g, recovery) {
			continue
		}
		switch {
		case f.Kind == g.Kind && f.Edge == g.Edge && (f.For > 0 || g.For > 0):
			return false
		case f.Kind.outage() && g.Kind.outage():
			if down++; f.Edge == g.Edge {
				return false
			}
		case f.Kind.ofRedis() && g.Kind.ofRedis() && f.For > 0 && g.For > 0: // killed while paused
			return false
		}
	}
	return !f.Kind.outage() || down < o.Edges
}

// apart says whether g must not be in a round with f. How long a failover takes is the servers', so what
// would meet it can not be planned apart: the next one, or what needs all of the Cluster.
func apart(f, g Fault) bool {
	return f.Kind.replaces() && (g.Kind.replaces() || g.Kind == SentinelKill || g.Kind == Reshard || g.Kind == Flush) ||
		f.Kind == Reshard && (g.Kind == Reshard || g.Kind == Flush) ||
		f.Kind == MasterLost && g.At > f.At // nor what makes an edge forget before it has put back what was lost
}

// calm says whether g falls into the time around f in which all must be well.
func calm(f, g Fault) bool {
	return f.Kind.forgets() && g.At < f.At+f.For+calmAfter && g.At+g.For+recovery > f.At-calmBefore
}

// together says whether two faults meet, or nearly.
func together(f, g Fault, margin time.Duration) bool {
	return f.At < g.At+g.For+margin && g.At < f.At+f.For+margin
}
