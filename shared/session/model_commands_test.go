package session_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"helix/shared/flows"
	"helix/shared/session"
)

// What the nodes of the model test do, and what happens to Redis.

func (w *modelWorld) register(t *rapid.T) {
	n := w.node(t)
	r := session.Registration{
		Joined: rapid.SampledFrom([]int{1, 0, 2, 3}).Draw(t, "joined"), Number: n.number, Held: w.somewhere(t, n),
	}
	if n.clients > 0 && rapid.IntRange(0, 2).Draw(t, "leaves") == 2 {
		r.Left = rapid.IntRange(1, n.clients).Draw(t, "left")
	}
	r.Before = n.clients - r.Left
	r.Wanted = r.Before + r.Joined
	n.last = r
	w.registerAs(t, n, r)
}

// registerAgain sends what a node sent before: late, or a second time.
func (w *modelWorld) registerAgain(t *rapid.T) {
	n := w.node(t)
	w.registerAs(t, n, n.last)
}

func (w *modelWorld) registerAs(t *rapid.T, n *modelNode, r session.Registration) {
	t.Helper()
	var got, want session.Registered
	var err, wantErr error
	w.step(t, func() string {
		out := make(chan struct{})
		n.flow.Register(r, func(g session.Registered, failed error) {
			got, err = g, failed
			close(out)
		})
		<-out
		return got.Epoch
	}, func(fresh string) { want, wantErr = w.spec.register(n.store.Node(), r, fresh) })
	w.say(t, "%s registers %+v: %+v, %v", n.name, r, got, err)
	w.same(t, "register's error", err, wantErr)
	w.near(got.Started, &want.Started)
	if d := (got.Next - want.Next).Abs(); got.Next >= 0 && want.Next >= 0 && d < w.redis.slack() {
		want.Next = got.Next
	}
	w.same(t, "register", got, want)
	switch {
	case errors.Is(err, session.ErrEnded):
		n.clients, n.number = 0, 0
	case err == nil:
		if got.Granted > r.Before && got.Total > w.spec.opts.MaxClients {
			t.Fatal("more clients came in than the limit allows")
		}
		n.clients, n.number = got.Granted, got.Number
		w.token(n, got.Token)
		w.holds(t, n, r.Held)
	}
}

// holds: a node whose document Redis took for a part of the flow's history must hold just that.
func (w *modelWorld) holds(t *rapid.T, n *modelNode, held session.Held) {
	t.Helper()
	if held.Epoch == "" || held != n.held || (n.astray && held.Seq < w.spec.head.seq) {
		return // astray, it finds out by the run that follows
	}
	if held.Epoch != w.spec.head.epoch || held.Seq > w.spec.head.seq || n.document != w.spec.document(held.Seq) {
		w.say(t, "%s holds %s at %s, of which Redis has %s at %s", n.name, n.document, held, w.spec.document(w.spec.head.seq), w.spec.position())
		t.Fatal("a node holds what Redis lost, and does not learn it")
	}
}

func (w *modelWorld) change(t *rapid.T) {
	n := w.node(t)
	n.run++
	body := &session.Body{}
	body.Start(n.store.Node(), n.run)
	var changes []session.Change
	for range rapid.IntRange(1, 4).Draw(t, "changes") {
		c := session.Change{Member: rapid.Uint64Range(0, 2).Draw(t, "member"), Changes: rapid.SampledFrom(patches).Draw(t, "patch")}
		if c.ClientID = rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "client"); c.ClientID != "" {
			c.ID = rapid.Uint64Range(0, 6).Draw(t, "change id")
		}
		changes = append(changes, c)
		body.Add(c.Member, c)
	}
	g := session.Guard{Held: w.somewhere(t, n)}
	if rapid.IntRange(0, 4).Draw(t, "limited") == 4 {
		g.Limit = rapid.IntRange(2, 200).Draw(t, "limit")
		if g.Fits = rapid.Bool().Draw(t, "fits"); g.Fits {
			g.FitsAt = w.somePosition(t).Seq
		}
	}
	var got, want session.Changed
	var err, wantErr error
	w.step(t, func() string {
		out := make(chan struct{})
		n.flow.Change(body, g, func(c session.Changed, failed error) {
			got, err = c, failed
			close(out)
		})
		<-out
		return got.Epoch
	}, func(fresh string) { want, wantErr = w.spec.change(n.store.Node(), n.run, changes, g, fresh) })
	w.say(t, "%s changes %+v under %+v: %+v, %v", n.name, changes, g, got, err)
	w.same(t, "change's error", err, wantErr)
	w.near(got.At, &want.At)
	if err == nil && len(got.Repeats) < len(changes) {
		w.near(got.At, &w.spec.log.runs[len(w.spec.log.runs)-1].At)
		w.near(got.At, &w.spec.head.at)
	}
	w.same(t, "change", got, want)
	if err == nil {
		w.token(n, got.Token)
		w.holds(t, n, g.Held)
	}
}

func (w *modelWorld) lease(t *rapid.T) {
	n := w.holder(t)
	token := w.someToken(t, n)
	w.leaseAs(t, n, token, rapid.SampledFrom([]string{"renew", "expire", "expire", "hand back"}).Draw(t, "what"))
}

func (w *modelWorld) leaseAs(t *rapid.T, n *modelNode, token int64, what string) {
	t.Helper()
	l := n.flow.Lease(token)
	var got, want any
	var err, wantErr error
	w.step(t, func() string {
		switch what {
		case "renew":
			got, err = l.Renew(context.Background())
		case "expire":
			got, err = l.Expire(context.Background())
		case "hand back":
			err = l.HandBack(context.Background())
		}
		return ""
	}, func(string) {
		switch what {
		case "renew":
			want, wantErr = w.spec.renew(n.store.Node(), l.Token())
		case "expire":
			want, wantErr = w.spec.expire(n.store.Node(), l.Token())
		case "hand back":
			w.spec.handBack(n.store.Node(), l.Token())
		}
	})
	w.say(t, "%s with token %d: %s: %v, %v", n.name, l.Token(), what, got, err)
	w.same(t, what+"'s error", err, wantErr)
	if idle, ok := got.(time.Duration); ok && (idle-want.(time.Duration)).Abs() < w.redis.slack() {
		want = got
	}
	w.same(t, what, got, want)
}

// fold writes a document as it was at any seq, as one that took its time would: or the one that the node holds.
func (w *modelWorld) fold(t *rapid.T) {
	n := w.holder(t)
	d := session.Folded{Held: n.held, Bytes: n.bytes, Document: []byte(n.document)}
	if n.held.Epoch == "" || rapid.Bool().Draw(t, "of any seq") {
		d.Held = w.at(w.somePosition(t))
		if log := w.spec.log; log != nil && len(log.runs) > 0 && rapid.IntRange(0, 3).Draw(t, "inside a run") < 3 {
			u := log.runs[rapid.IntRange(0, len(log.runs)-1).Draw(t, "run")]
			d.Held = session.Held{Position: session.Position{Epoch: u.Epoch, Seq: u.Last()}, At: u.At}
		}
		if d.Epoch == w.spec.position().Epoch && d.Seq <= w.spec.position().Seq {
			d.Bytes, d.Document = w.spec.bytesAt(d.Seq), []byte(w.spec.document(d.Seq))
		}
	}
	d.KeepFrom = rapid.Uint64Range(0, d.Seq+2).Draw(t, "keep from")
	token := w.someToken(t, n)
	if w.spec.lease == nil || rapid.IntRange(0, 4).Draw(t, "as if nobody had the lease") == 4 {
		token = 0
	}
	var got, want bool
	var err, wantErr error
	w.step(t, func() string {
		if token == 0 {
			got, err = n.flow.FoldVacant(context.Background(), d)
		} else {
			got, err = n.flow.Lease(token).Fold(context.Background(), d)
		}
		return ""
	}, func(string) { want, wantErr = w.spec.fold(n.store.Node(), token, d) })
	w.say(t, "%s with token %d folds %s at %s, keeping the log from %d: %v, %v", n.name, token, d.Document, d.Position, d.KeepFrom, got, err)
	w.same(t, "fold's error", err, wantErr)
	w.same(t, "fold", got, want)
	if got && n.astray && d.Held == n.held {
		t.Fatal("a document that Redis lost became the snapshot")
	}
}

// read is how a node comes to hold the document, or to hold it newer.
func (w *modelWorld) read(t *rapid.T) {
	n := w.node(t)
	behind := n.held
	if rapid.Bool().Draw(t, "from anywhere") {
		behind = session.Held{Position: w.somePosition(t)}
		if rapid.Bool().Draw(t, "with its time") {
			behind = w.at(behind.Position)
		}
	}
	c := w.checkContent(t, n, behind)
	w.say(t, "%s reads behind %s: %s", n.name, behind, tell(c))
	n.found = c.Held
	if c.Forked || (c.Behind && behind != n.held) {
		return
	}
	if n.astray && c.Behind {
		t.Fatal("what Redis has now is read as if it followed on what it lost")
	}
	n.astray = false
	n.document, n.held, n.bytes = built(n.document, n.held, &c)
	if c.Epoch == "" {
		n.held = session.Held{}
	}
	if n.held.Seq > 0 {
		n.bytes = w.spec.bytesAt(n.held.Seq)
	}
	for _, u := range c.Updates {
		for _, change := range u.Changes {
			if change.ID > n.answered[change.ClientID].ID {
				n.answered[change.ClientID] = session.AnsweredChange{ClientID: change.ClientID, ID: change.ID, At: u.At}
			}
		}
	}
}

// keep writes the list of versions with a new one, without one, or with a name; or notes who a client is.
func (w *modelWorld) keep(t *rapid.T) {
	n := w.node(t)
	if rapid.IntRange(0, 3).Draw(t, "an author") == 3 {
		a := flows.Author{ClientID: rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "client"), UserID: "u", Name: rapid.SampledFrom([]string{"", "Ann"}).Draw(t, "name")}
		w.step(t, func() string {
			out := make(chan error)
			n.flow.NoteAuthor(a, func(err error) { out <- err })
			w.same(t, "author's error", <-out, error(nil))
			return ""
		}, func(string) { w.spec.noteAuthor(a) })
		w.say(t, "%s notes who %s is: %+v", n.name, a.ClientID, a)
		return
	}
	var list []flows.Version
	known := uint64(0)
	if v := w.spec.versions; v != nil {
		list, known = slices.Clone(v.list), v.number
		if rapid.IntRange(0, 3).Draw(t, "as it was before") == 3 {
			known = rapid.SampledFrom([]uint64{0, known - 1}).Draw(t, "number")
		}
	}
	var gone []string
	var added *string
	switch what := rapid.IntRange(0, 3).Draw(t, "what"); {
	case what == 1 && len(list) > 0:
		gone, list = []string{list[len(list)-1].ID}, list[:len(list)-1]
	case what == 2 && len(list) > 0:
		list[0].Name = rapid.SampledFrom([]string{"", "named"}).Draw(t, "name")
	default:
		document := fmt.Sprintf(`{"n":%d}`, rapid.IntRange(0, 9).Draw(t, "document"))
		v := flows.Version{
			ID: session.NewVersionID(), Position: w.somePosition(t), At: time.UnixMilli(1000), Number: uint64(len(list) + 1),
			By: []flows.Author{{ClientID: "ann", Name: "Ann"}}, Title: "T", Nodes: 1, StoredBytes: 10,
		}
		if v.Epoch == "NOBODYS" {
			t.Skip("no epoch of a document")
		}
		list, added = append([]flows.Version{v}, list...), &document
	}
	var got, want uint64
	var err, wantErr error
	w.step(t, func() string {
		var packed []byte
		if added != nil {
			packed = session.Pack([]byte(*added))
		}
		got, err = n.flow.WriteVersions(context.Background(), known, list, gone, packed)
		return ""
	}, func(string) { want, wantErr = w.spec.keep(known, list, gone, added, got) })
	w.say(t, "%s keeps %d versions over the list %d, without %v: %d, %v", n.name, len(list), known, len(gone), got, err)
	w.same(t, "keep's error", errors.Is(err, wantErr) && (err == nil) == (wantErr == nil), true)
	w.same(t, "keep", got, want)
}

// restore: a node finds that Redis lost what it holds, and puts it back.
func (w *modelWorld) restore(t *rapid.T) {
	n := w.node(t)
	if w.spec.lost(n.held) == nil {
		t.Skip("nothing that it knows of is lost")
	}
	found := w.spec.newest()
	if rapid.IntRange(0, 3).Draw(t, "found it earlier") == 3 {
		found = n.found
	}
	d := session.Folded{Document: []byte(n.document)}
	answered := slices.Collect(maps.Values(n.answered))
	slices.SortFunc(answered, func(a, b session.AnsweredChange) int { return int(a.ID) - int(b.ID) })
	var epoch string
	var err error
	done := false
	w.step(t, func() string {
		out := make(chan struct{})
		n.flow.Restore(n.held.Position, found, d, answered, func(e string, failed error) {
			epoch, err = e, failed
			close(out)
		})
		<-out
		return epoch
	}, func(fresh string) { done = w.spec.restore(n.held.Position, found.Position, d, answered, fresh) })
	w.say(t, "%s restores %s of %s, having found %s: %q, %v", n.name, n.document, n.held, found, epoch, err)
	w.same(t, "restore's error", err, error(nil))
	w.same(t, "restore", epoch != "", done)
	if done {
		n.held, n.bytes, n.astray = session.Held{Position: session.Position{Epoch: epoch}}, 0, false
	}
}

// end ends a session on purpose, or with its document.
func (w *modelWorld) end(t *rapid.T) {
	n := w.node(t)
	var existed, wantExisted bool
	var affected, wantAffected int
	var err error
	what := rapid.SampledFrom([]string{"close", "delete"}).Draw(t, "what")
	w.step(t, func() string {
		if what == "close" {
			affected, err = n.flow.Close(context.Background())
			return ""
		}
		existed, affected, err = n.flow.Delete(context.Background(), nil)
		c, _ := n.flow.Read(context.Background(), session.Held{}) // nothing else tells the new epoch
		return c.Epoch
	}, func(fresh string) {
		if what == "close" {
			wantAffected = w.spec.close()
			return
		}
		wantExisted, wantAffected = w.spec.delete(fresh)
	})
	w.say(t, "%s: %s: %v, %d clients, %v", n.name, what, existed, affected, err)
	w.same(t, what+"'s error", err, error(nil))
	w.same(t, what, []any{existed, affected}, []any{wantExisted, wantAffected})
}

// loss: Redis comes back without what it had.
func (w *modelWorld) loss(t *rapid.T) {
	w.tick(t)
	switch i := rapid.IntRange(0, 6).Draw(t, "how"); {
	case i == 6:
		w.redis.forget(t)
		w.spec.forget()
		w.say(t, "Redis comes back empty")
	case i < 2 || len(w.copies) == 0:
		w.copies = append(w.copies, w.redis.backup(t, w.spec))
		w.say(t, "Redis is copied at %s", w.spec.position())
	default:
		back := rapid.IntRange(1, len(w.copies)).Draw(t, "copies back")
		w.redis.comeBackOlder(t, w.spec, w.copies[len(w.copies)-back])
		w.redis.wait(t, w.spec)
		w.say(t, "Redis comes back older, at %s", w.spec.position())
		for _, n := range w.nodes {
			now := w.spec.position()
			n.astray = n.held.Epoch != "" && n.held.Epoch == now.Epoch && (n.held.Seq > now.Seq || n.document != w.spec.document(n.held.Seq) || n.bytes != w.spec.bytesAt(n.held.Seq))
		}
	}
}

// jumps are around what ends by itself, and back as with a server whose clock is behind.
func (w *modelWorld) clock(t *rapid.T) {
	o := w.spec.opts
	around := []time.Duration{
		o.LeaseTTL / 3, -time.Hour, o.InactivityTimeout, -time.Second, o.NodeTTL(), time.Second, o.LeaseTTL, -o.NodeTTL(),
		2 * o.NodeTTL(), o.Retention / 2, o.Retention,
	}
	d := rapid.SampledFrom(around).Draw(t, "jump") + time.Duration(rapid.IntRange(-1, 1).Draw(t, "and"))*time.Millisecond
	w.redis.pass(w.spec, d)
	w.say(t, "the clock jumps by %v", d)
}

// while lets a third of a lease pass and each node do what it does then; but one may be paused, or dead.
func (w *modelWorld) while(t *rapid.T) {
	w.redis.pass(w.spec, w.spec.opts.LeaseTTL/3)
	w.say(t, "a while passes")
	paused := rapid.IntRange(0, len(w.nodes)).Draw(t, "paused")
	for i, n := range w.nodes {
		if i == paused-1 || n.clients == 0 {
			continue
		}
		if n.token != 0 {
			w.leaseAs(t, n, n.token, "renew")
		}
		w.registerAs(t, n, session.Registration{Wanted: n.clients, Before: n.clients, Number: n.number})
	}
}

func (w *modelWorld) list(t *rapid.T) {
	w.redis.tick(t, w.spec)
	got, err := w.nodes[0].store.Active(context.Background())
	w.same(t, "list's error", err, error(nil))
	want := []flows.Status{}
	if active, clients, started, activity := w.spec.status(); active {
		s := flows.Status{Flow: modelFlow, Active: true, ClientCount: clients, StartedAt: started, LastActivity: activity}
		if len(got) == 1 {
			w.near(got[0].StartedAt, &s.StartedAt)
			w.near(got[0].LastActivity, &s.LastActivity)
		}
		want = append(want, s)
	}
	w.same(t, "the active sessions", got, want)
	w.say(t, "the sessions are listed: %d", len(got))
}
