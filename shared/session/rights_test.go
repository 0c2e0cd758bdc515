package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"helix/shared/flows"
	"helix/shared/lanes"
	"helix/shared/redistest"
	"helix/shared/redistest/servers"
	"helix/shared/session"
)

// The suite runs as a user with these rights. Here each is taken away in turn, and something fails: there is
// none too many.
func TestRights_areAllNeeded(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]struct {
		start   func(servers.Options) (*servers.Redis, error)
		cluster bool
	}{"single": {servers.Single, false}, "cluster": {servers.Cluster, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rights := lanes.Rights(redistest.Prefix, mode.cluster)
			r := redistest.Begin(t, mode.start, servers.Options{Rights: rights})
			without := func(right string, moving bool) error {
				user := "without" + strings.Trim(right, "+~&:*|")
				makeUser(t, r, user, strings.Replace(rights+" ", " "+right+" ", " ", 1))
				return everything(t, r, user, moving)
			}
			const unknown = "+eval" // is needed where no script is known yet: so it comes first
			if err := without(unknown, false); err == nil {
				t.Errorf("nothing fails without %s", unknown)
			}
			if err := without("", mode.cluster); err != nil {
				t.Fatalf("with all rights: %v", err)
			}
			const moving = "+asking"
			if err := without(moving, mode.cluster); err == nil && mode.cluster {
				t.Errorf("nothing fails without %s", moving)
			}
			for right := range strings.FieldsSeq(rights) {
				if !strings.ContainsAny(right[:1], "+~&") || right == unknown || right == moving {
					continue
				}
				t.Run(right, func(t *testing.T) {
					t.Parallel()
					err := without(right, false)
					if err == nil {
						t.Error("nothing fails without it")
					}
					t.Log(err)
				})
			}
		})
	}
}

func makeUser(t *testing.T, r *servers.Redis, user, rights string) {
	t.Helper()
	args := []any{"ACL", "SETUSER", user, "on", ">" + r.Password}
	for right := range strings.FieldsSeq(rights) {
		args = append(args, right)
	}
	for _, s := range r.Servers {
		if err := s.Admin().Do(context.Background(), args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
}

// deaf is an error once its subscription was lost.
type deaf struct{ lost, heard atomic.Int64 }

func (d *deaf) Message(string) { d.heard.Add(1) }
func (d *deaf) Resubscribed()  { d.lost.Add(1) }

// everything does each thing that an edge does with Redis, as one of its users, and gives all that failed;
// moving: also while a slot moves.
func everything(t *testing.T, r *servers.Redis, user string, moving bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	o := redistest.OptionsOf(r)
	o.Credentials.Username = user
	o.Prefix, o.Lanes, o.Timeout = fmt.Sprintf("%s:r%d", redistest.Prefix, prefixes.Add(1)), 1, 10*time.Second
	l, err := lanes.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var failed []error
	try := func(what string, err error) {
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", what, err))
		}
	}
	try("ping", l.Ping(ctx))

	brief := session.Options{MaxClients: 10, LeaseTTL: 200 * time.Millisecond, InactivityTimeout: time.Millisecond, Retention: time.Hour}
	dies, lives := session.NewStore(l, "dies", brief), session.NewStore(l, "lives", patient)
	f := lives.Flow("f")
	ear := &deaf{}
	sub := f.Listen(ear)
	try("subscribe", sub.Wait(ctx))
	other := lives.Flow("g").Listen(&deaf{})
	try("subscribe", other.Wait(ctx))
	other.Close()
	third := lives.Flow("h").Listen(&deaf{})
	try("unsubscribe", third.Wait(ctx))

	told := make(chan error, 3)
	for shown := false; !shown && err == nil && ctx.Err() == nil; { // before its time is over
		if _, err = register(t, dies.Flow("f"), session.Registration{Wanted: 1, Joined: 1}); err == nil {
			dies.Flow("f").Present([]session.Shown{{Member: 1, ClientID: "ann", Meta: "{}"}}, func(_, _ uint64, known bool, err error) { shown = known; told <- err })
			err = <-told
		}
	}
	try("presence", err)
	f.Presences(func(_ []session.Shown, _ uint64, err error) { told <- err })
	try("presences", <-told)
	f.Signal([]session.Signal{{ClientID: "ann", Type: "x", Data: "{}"}}, func(err error) { told <- err })
	try("signal", <-told)
	var got session.Registered
	for joined := 1; ctx.Err() == nil; joined = 0 { // until the other node's deadline is over, and its lease
		if got, err = register(t, f, session.Registration{Wanted: 1, Before: 1 - joined, Joined: joined, Number: got.Number}); err != nil || got.Total == 1 && got.Token > 0 {
			break
		}
	}
	try("register", err)
	lease := f.Lease(got.Token)

	guard := session.Guard{}
	change := func(f *session.Flow, id uint64) (session.Changed, error) {
		return run(t, f, guard, session.Change{ClientID: "ann", ID: id, Changes: `{"n":1}`})
	}
	first, err := change(f, 1)
	try("change", err)
	content, err := f.Read(ctx, session.Held{})
	try("read", err)
	held := session.Held{Position: session.Position{Epoch: first.Epoch, Seq: first.First}, At: first.At}
	_, err = f.Read(ctx, held)
	try("read", err)
	_, err = lease.Renew(ctx)
	try("renew", err)
	folded := session.Folded{Held: held, Bytes: first.Bytes, Document: []byte(`{"n":1}`), KeepFrom: first.First + 1}
	_, err = lease.Fold(ctx, folded)
	try("fold", err)
	restored := make(chan error, 1)
	f.Restore(held.Position, content.Held, folded, []session.AnsweredChange{{ClientID: "ann", ID: 1, At: first.At}}, func(_ string, err error) { restored <- err })
	try("restore", <-restored)
	_, err = f.Status(ctx)
	try("status", err)
	_, err = lives.Active(ctx)
	try("list of sessions", err)
	_, _, err = lives.List(ctx, flows.Place{}, 10)
	try("list", err)
	_, err = lives.Sweep(ctx)
	try("sweep", err)
	try("hand back", lease.HandBack(ctx))
	_, err = f.Close(ctx)
	try("close", err)
	_, _, err = f.Delete(ctx, nil)
	try("delete", err)
	if moving {
		try("signal on a slot that moves", signalOnTheMove(ctx, t, r, f))
	}
	sub.Close()
	if ear.lost.Load() > 0 {
		failed = append(failed, errors.New("the subscriber connection was lost"))
	}
	return errors.Join(failed...)
}

// signalOnTheMove runs a script while its slot is on its way to another master: the client is sent there.
func signalOnTheMove(ctx context.Context, t *testing.T, r *servers.Redis, f *session.Flow) error {
	t.Helper()
	key := "{0}"
	slot, err := servers.Slot(ctx, r.Servers[0], key)
	if err != nil {
		t.Fatal(err)
	}
	from, err := r.Owner(ctx, slot)
	if err != nil {
		t.Fatal(err)
	}
	to := r.Servers[0]
	if to == from {
		to = r.Servers[1]
	}
	set := func(s *servers.Server, args ...any) {
		if err := s.Admin().Do(ctx, append([]any{"CLUSTER", "SETSLOT", slot}, args...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	id := func(s *servers.Server) string { return s.Admin().Do(ctx, "CLUSTER", "MYID").Val().(string) }
	set(to, "IMPORTING", id(from))
	set(from, "MIGRATING", id(to))
	defer func() { set(from, "STABLE"); set(to, "STABLE") }()
	done := make(chan error, 1)
	f.Signal([]session.Signal{{ClientID: "ann", Type: "x", Data: "{}"}}, func(err error) { done <- err })
	err = <-done
	if redis.IsTryAgainError(err) {
		t.Fatal("a script with one key is refused")
	}
	return err
}

// The same of the sentinels. What go-redis is refused there it does not always tell, so they are asked.
func TestSentinelRights_areAllNeeded(t *testing.T) {
	t.Parallel()
	rights := lanes.SentinelRights()
	r := redistest.Begin(t, servers.Sentinel, servers.Options{Replicas: 1, Rights: lanes.Rights(redistest.Prefix, false), SentinelRights: rights})
	ctx := context.Background()
	connect := func(t *testing.T, user, rights string) error {
		args := []any{"ACL", "SETUSER", user, "on", ">" + r.SentinelPassword}
		for right := range strings.FieldsSeq(rights) {
			args = append(args, right)
		}
		for _, s := range r.Sentinels {
			if err := s.Admin().Do(ctx, args...).Err(); err != nil {
				t.Fatal(err)
			}
		}
		o := redistest.OptionsOf(r)
		o.Sentinel.Username, o.Timeout = user, time.Second
		l, err := lanes.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l.Ping(ctx)
	}
	refused := func(user string) bool {
		for _, s := range r.Sentinels {
			entries, err := s.Admin().Do(ctx, "ACL", "LOG", 128).Slice()
			if err == nil && strings.Contains(fmt.Sprint(entries), "username "+user+" ") {
				return true
			}
		}
		return false
	}
	if err := connect(t, "all", rights); err != nil {
		t.Fatalf("with all rights: %v", err)
	}
	i := 0
	for right := range strings.FieldsSeq(rights) {
		if !strings.ContainsAny(right[:1], "+&") {
			continue
		}
		user := fmt.Sprintf("u%d", i)
		i++
		t.Run(right, func(t *testing.T) {
			t.Parallel()
			err := connect(t, user, strings.Replace(rights+" ", " "+right+" ", " ", 1))
			for deadline := time.Now().Add(10 * time.Second); err == nil && !refused(user); { // it pings some seconds later
				if time.Now().After(deadline) {
					t.Fatal("nothing is refused without it")
				}
				time.Sleep(50 * time.Millisecond) // between two looks at a condition with a deadline
			}
		})
	}
	t.Cleanup(func() {
		if refused("all") {
			t.Error("something is refused with all rights")
		}
	})
}
