// Package session holds what is true of a session, in Redis: who has the lease, how many clients
// each node has, which seq comes next. Each step is one Lua script in a file of its own; one Go
// function calls it and returns a typed result. Nothing here keeps state between calls.
package session

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"helix/shared/flows"
	"helix/shared/lanes"
)

//go:embed count.lua
var countLua string

//go:embed end.lua
var endLua string

//go:embed register.lua
var registerLua string

//go:embed change.lua
var changeLua string

//go:embed head.lua
var headLua string

//go:embed read.lua
var readLua string

//go:embed fold.lua
var foldLua string

//go:embed restore.lua
var restoreLua string

//go:embed delete.lua
var deleteLua string

//go:embed present.lua
var presentLua string

//go:embed presence.lua
var presenceLua string

//go:embed presences.lua
var presencesLua string

//go:embed signal.lua
var signalLua string

//go:embed renew.lua
var renewLua string

//go:embed close.lua
var closeLua string

//go:embed expire.lua
var expireLua string

//go:embed status.lua
var statusLua string

//go:embed handback.lua
var handbackLua string

//go:embed list.lua
var listLua string

//go:embed summary.lua
var summaryLua string

//go:embed sweep.lua
var sweepLua string

//go:embed keep.lua
var keepLua string

//go:embed versions.lua
var versionsLua string

//go:embed version.lua
var versionLua string

//go:embed author.lua
var authorLua string

//go:embed members.lua
var membersLua string

var (
	registerScript  = lanes.NewScript("register", countLua, headLua, presentLua, registerLua)
	changeScript    = lanes.NewScript("change", countLua, headLua, changeLua)
	readScript      = lanes.NewScript("read", countLua, headLua, readLua)
	foldScript      = lanes.NewScript("fold", countLua, headLua, foldLua)
	restoreScript   = lanes.NewScript("restore", countLua, headLua, restoreLua)
	deleteScript    = lanes.NewScript("delete", countLua, headLua, endLua, deleteLua)
	presenceScript  = lanes.NewScript("presence", countLua, presentLua, presenceLua)
	presencesScript = lanes.NewScript("presences", countLua, presentLua, presencesLua)
	signalScript    = lanes.NewScript("signal", signalLua)
	renewScript     = lanes.NewScript("renew", countLua, renewLua)
	closeScript     = lanes.NewScript("close", countLua, headLua, endLua, closeLua)
	expireScript    = lanes.NewScript("expire", countLua, headLua, endLua, expireLua)
	statusScript    = lanes.NewScript("status", countLua, statusLua)
	handbackScript  = lanes.NewScript("handback", handbackLua)
	listScript      = lanes.NewScript("list", countLua, listLua)
	summaryScript   = lanes.NewScript("summary", countLua, headLua, summaryLua)
	sweepScript     = lanes.NewScript("sweep", sweepLua)
	keepScript      = lanes.NewScript("keep", countLua, headLua, keepLua)
	versionsScript  = lanes.NewScript("versions", countLua, headLua, versionsLua)
	versionScript   = lanes.NewScript("version", versionLua)
	authorScript    = lanes.NewScript("author", countLua, headLua, authorLua)
	membersScript   = lanes.NewScript("members", countLua, presentLua, membersLua)
)

// Options of a session.
type Options struct {
	MaxClients        int           // of one flow in the whole cluster
	LeaseTTL          time.Duration // of the lease; a dead node's clients are gone within it
	InactivityTimeout time.Duration // after which the leaseholder ends a session
	Retention         time.Duration // of what outlives the session
}

// DefaultOptions are the defaults of design.md.
var DefaultOptions = Options{
	MaxClients:        1000,
	LeaseTTL:          15 * time.Second,
	InactivityTimeout: 30 * time.Minute,
	Retention:         30 * 24 * time.Hour,
}

// NodeTTL is how long a node's clients count after the node was last heard. It is shorter than the
// lease's TTL by enough for the others to notice: so the ghosts of a killed node leave the count
// within one lease TTL. A node registers at a third of the lease's TTL and may miss one such call.
func (o Options) NodeTTL() time.Duration { return o.LeaseTTL * 5 / 6 }

// Store runs the steps of sessions for one node.
type Store struct {
	lanes *lanes.Lanes
	node  string
	opts  Options

	// Arguments that are the same in every call, boxed once.
	argNode, argMax, argNodeTTL, argLeaseTTL, argRetention, argPublish any
}

// NewStore makes the store of one incarnation of a node: a node that starts again under the same name
// is another node, for the clients of the one before are not its own.
func NewStore(l *lanes.Lanes, nodeID string, o Options) *Store {
	node := nodeID + "." + rand.Text()[:8]
	return &Store{
		lanes: l, node: node, opts: o,
		argNode: node, argMax: o.MaxClients, argNodeTTL: o.NodeTTL().Milliseconds(), argLeaseTTL: o.LeaseTTL.Milliseconds(),
		argRetention: o.Retention.Milliseconds(), argPublish: l.PublishCommand(),
	}
}

// Node is the name of this incarnation; it has no spaces.
func (s *Store) Node() string { return s.node }

// Options are the options that the store was made with.
func (s *Store) Options() Options { return s.opts }

// Flow is one flow's place in the store, its key names made once.
type Flow struct {
	store *Store
	id    flows.ID
	keys  lanes.Keys

	argID any // boxed once

	registerKeys, changeKeys, readKeys []string
}

// Flow gives the place of a flow.
func (s *Store) Flow(id flows.ID) *Flow {
	k := s.lanes.Keys(id)
	return &Flow{
		store: s, id: id, keys: k, argID: string(id),
		registerKeys: []string{k.Lease, k.Session, k.Head, k.Index, k.Channel, k.Log, k.Snapshot, k.Answered, k.Presence, k.Versions},
		changeKeys:   []string{k.Lease, k.Session, k.Head, k.Log, k.Answered, k.Flows, k.Channel, k.Snapshot, k.Versions},
		readKeys:     []string{k.Head, k.Log, k.Snapshot},
	}
}

// ID is the flow's id.
func (f *Flow) ID() flows.ID { return f.id }

// Listen subscribes to the flow's channel; ParseMessage reads what comes.
func (f *Flow) Listen(h lanes.Handler) *lanes.Subscription {
	return f.store.lanes.Subscribe(f.keys.Channel, h)
}

// Status tells of the flow's session.
func (f *Flow) Status(ctx context.Context) (flows.Status, error) {
	reply, err := f.store.lanes.Run(ctx, statusScript, []string{f.keys.Session, f.keys.Index}, string(f.id))
	return statusOf(f.id, reply, err)
}

// Active lists the sessions of the whole cluster. It reads the index of every lane, then each
// session; sessions that begin or end meanwhile may be missed.
func (s *Store) Active(ctx context.Context) ([]flows.Status, error) {
	all, err := s.lanes.Members(ctx, s.lanes.IndexKeys())
	if err != nil {
		return nil, err
	}
	type answer struct {
		status flows.Status
		err    error
	}
	var asked int
	answers := make(chan answer, len(all))
	list := []flows.Status{}
	take := func() error {
		a := <-answers
		asked--
		if a.err == nil && a.status.Active {
			list = append(list, a.status)
		}
		return a.err
	}
	var failed error
	for _, ids := range all {
		for _, id := range ids {
			for asked == cap(answers) {
				if err := take(); err != nil {
					failed = err
				}
			}
			asked++
			f := s.Flow(flows.ID(id))
			s.lanes.Start(statusScript, []string{f.keys.Session, f.keys.Index}, []any{id}, func(reply any, err error) {
				status, err := statusOf(f.id, reply, err)
				answers <- answer{status, err}
			})
		}
	}
	for asked > 0 {
		if err := take(); err != nil {
			failed = err
		}
	}
	return list, failed
}

func statusOf(id flows.ID, reply any, err error) (flows.Status, error) {
	status := flows.Status{Flow: id}
	if lanes.IsNil(err) {
		return status, nil
	}
	if err != nil {
		return status, err
	}
	r := reader{values: asList(reply)}
	status.ClientCount = int(r.integer())
	status.StartedAt = time.UnixMilli(r.integer())
	status.LastActivity = time.UnixMilli(r.integer())
	status.Active = true
	return status, r.failed("status")
}

// Close ends the flow's session everywhere and says how many clients it had.
func (f *Flow) Close(ctx context.Context) (affected int, err error) {
	s := f.store
	reply, err := s.lanes.Run(ctx, closeScript, f.registerKeys, string(f.id), s.argRetention, s.argPublish)
	if err != nil {
		return 0, err
	}
	r := reader{values: []any{reply}}
	return int(r.integer()), r.failed("close")
}

// reader takes typed values off a script's reply.
type reader struct {
	values []any
	bad    bool
}

func asList(reply any) []any {
	list, _ := reply.([]any)
	return list
}

func (r *reader) next() any {
	if len(r.values) == 0 {
		r.bad = true
		return nil
	}
	v := r.values[0]
	r.values = r.values[1:]
	return v
}

func (r *reader) integer() int64 {
	switch v := r.next().(type) {
	case int64:
		return v
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n
		}
	}
	r.bad = true
	return 0
}

func (r *reader) text() string {
	v, ok := r.next().(string)
	if !ok {
		r.bad = true
	}
	return v
}

// lost reads the rest of a "lost" reply.
func (r *reader) lost(script string) error {
	e := &LostError{Epoch: r.text(), Seq: uint64(r.integer())}
	if err := r.failed(script); err != nil {
		return err
	}
	return e
}

func (r *reader) failed(script string) error {
	if r.bad {
		return fmt.Errorf("the %s script gave an unknown reply", script)
	}
	return nil
}
