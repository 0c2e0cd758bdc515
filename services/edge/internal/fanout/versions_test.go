package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"helix/shared/document"
	"helix/shared/flows"
	"helix/shared/session"
)

// Versions over edges and a Redis as they run.

// often makes versions so often that a test need not wait; a lease's duties are looked at every 333 ms.
var often = session.VersionBounds{Interval: 200 * time.Millisecond, Keep: 50, Bytes: 4 << 20}

// seldom makes none by the clock while a test runs.
var seldom = session.VersionBounds{Interval: time.Hour, Keep: 50, Bytes: 4 << 20}

func startKeeping(t testing.TB, url, name string, b session.VersionBounds) *node {
	t.Helper()
	n := startNode(t, url, name, quick)
	n.VersionBounds = b
	return n
}

func (n *node) versions(id string) []flows.Version {
	n.t.Helper()
	page, err := n.flows.Versions(context.Background(), id, "", 1000)
	if err != nil {
		n.t.Fatalf("versions: %v", err)
	}
	return page.Versions
}

func (n *node) version(id, version string) string {
	n.t.Helper()
	_, json, err := n.flows.Version(context.Background(), id, version)
	if err != nil {
		n.t.Fatalf("version %s: %v", version, err)
	}
	return string(json)
}

func (n *node) name(id, name string) flows.Version {
	n.t.Helper()
	v, err := n.flows.NameVersion(context.Background(), id, name)
	if err != nil {
		n.t.Fatalf("name %q: %v", name, err)
	}
	return v
}

// settled gives the versions when there is one of the document as it is: until somebody changes it, none is
// made or thinned out any more.
func (n *node) settled(id string) (list []flows.Version) {
	n.t.Helper()
	eventually(n.t, "a version of the document as it is", func() bool {
		list = n.versions(id)
		at := n.mustDocument(id).Position
		return slices.ContainsFunc(list, func(v flows.Version) bool { return v.Position == at })
	})
	return list
}

// people are who made a version, by name or else by client id, in the order of the alphabet.
func people(v *flows.Version) []string {
	var all []string
	for _, a := range v.By {
		who := a.Name
		if who == "" {
			who = a.ClientID
		}
		all = append(all, who)
	}
	slices.Sort(all)
	return all
}

// writing has a follower change its own node over and over, until stop is called; not so often that the log
// would let go of what mustBeExact reads.
func (f *follower) writing(from uint64, node string) (stop func() (next uint64)) {
	done, ended := make(chan struct{}), make(chan uint64, 1)
	go func() {
		id := from
		defer func() { ended <- id }()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ; ; id++ {
			select {
			case <-done:
				return
			case <-tick.C:
				f.change(id, fmt.Sprintf(`{"nodes":{%q:{"x":%d}},"title":"at %d"}`, node, id, id))
				f.acked(id)
			}
		}
	}()
	return func() uint64 { close(done); return <-ended }
}

// mustBeExact holds versions of one epoch against what the log says that the document was at their seqs.
func (n *node) mustBeExact(id string, versions []flows.Version) {
	n.t.Helper()
	at := n.mustDocument(id).Epoch
	missed := n.follow(id, flows.JoinOptions{Resume: flows.Position{Epoch: at}}).joined.Missed
	doc := document.New()
	checked := 0
	for _, m := range missed {
		if err := doc.Apply([]byte(m.Changes)); err != nil {
			n.t.Fatal(err)
		}
		for i := range versions {
			if v := &versions[i]; v.Epoch == at && v.Seq == m.Seq {
				checked++
				json := n.version(id, v.ID)
				if !reflect.DeepEqual(decoded(n.t, []byte(json)), decoded(n.t, doc.AppendJSON(nil))) || v.Nodes != doc.Len("nodes") || v.StoredBytes == 0 {
					n.t.Errorf("version at %d: %+v\n%s\nwas %s", v.Seq, v, json, doc.AppendJSON(nil))
				}
			}
		}
	}
	if checked != len(versions) {
		n.t.Errorf("only %d of %d versions are of a seq that there was", checked, len(versions))
	}
}

func TestVersions_appearWhileManyEdit_exactAtTheirSeqs_withWhoDidIt_overTheDeathOfTheHolder(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startKeeping(t, r.URL, "a", often), startKeeping(t, r.URL, "b", often)
	join := func(n *node, o flows.JoinOptions) *follower { o.Sync = true; return n.follow("f", o) }
	ann := join(a, flows.JoinOptions{ClientID: "c-ann", UserID: "u-ann", UserName: "Ann"})
	bob := join(b, flows.JoinOptions{ClientID: "c-bob", Presence: []byte(`{"name":"Bob","color":"#0a0"}`)})
	plain := join(b, flows.JoinOptions{ClientID: "c-plain"})
	reader := join(b, flows.JoinOptions{ClientID: "c-reader", UserID: "u-reader", UserName: "Reader"})
	stopAnn, stopBob, stopPlain := ann.writing(1, "ann"), bob.writing(1, "bob"), plain.writing(1, "plain")
	eventually(t, "three versions", func() bool { return len(b.versions("f")) >= 3 })
	named := b.name("f", "In the middle")
	if named.Name != "In the middle" || named.Seq == 0 {
		t.Fatalf("%+v", named)
	}
	eventually(t, "a version by all three", func() bool {
		return slices.ContainsFunc(b.versions("f"), func(v flows.Version) bool {
			return reflect.DeepEqual(people(&v), []string{"Ann", "Bob", "c-plain"})
		})
	})
	stopAnn()
	before := b.versions("f")
	a.kill()
	eventually(t, "versions by the new holder", func() bool {
		list := b.versions("f")
		return len(list) > 0 && list[0].Number > before[0].Number && reflect.DeepEqual(people(&list[0]), []string{"Bob", "c-plain"})
	})
	stopBob()
	stopPlain()
	list := b.settled("f")
	for _, v := range list {
		if slices.Contains(people(&v), "Reader") || v.At.IsZero() || !strings.HasPrefix(v.Title, "at ") {
			t.Errorf("%+v", v)
		}
	}
	if !slices.ContainsFunc(list, func(v flows.Version) bool { return v.ID == named.ID && v.Name == named.Name }) {
		t.Error("the named version is gone")
	}
	for i := 1; i < len(list); i++ {
		if list[i].Number >= list[i-1].Number || list[i].Seq > list[i-1].Seq {
			t.Errorf("out of order: %+v, %+v", list[i-1], list[i])
		}
	}
	b.mustBeExact("f", list)
	_ = reader
}

func TestVersions_ofAFlowAtRest_areMadeOnce(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startKeeping(t, r.URL, "a", often)
	ann := a.follow("f", flows.JoinOptions{ClientID: "ann", Sync: true})
	for round := uint64(1); round <= 3; round++ {
		ann.change(round, fmt.Sprintf(`{"nodes":{"n%d":{}}}`, round))
		ann.acked(round)
		eventually(t, "the version", func() bool { list := a.versions("f"); return len(list) > 0 && list[0].Seq == round })
		var seqs []uint64
		for _, v := range a.versions("f") {
			seqs = append(seqs, v.Seq)
		}
		if sorted := slices.Compact(slices.Clone(seqs)); len(sorted) != len(seqs) || len(seqs) > int(round) {
			t.Fatalf("versions at %v", seqs)
		}
	}
}

func TestVersions_whenTheLastMemberLeaves_theDocumentAsItIsThenIsKept(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startKeeping(t, r.URL, "a", seldom), startKeeping(t, r.URL, "b", seldom)
	for round, opts := range []flows.JoinOptions{{Sync: true}, {}} { // one that has the edge hold the document, one that does not
		opts.ClientID, opts.UserID, opts.UserName = fmt.Sprint("c", round), "u-ann", "Ann"
		ann := a.join("f", opts)
		ann.wait("joined")
		ann.change("x", fmt.Sprintf(`{"title":"round %d","nodes":{"n%d":{}}}`, round, round))
		ann.wait("ok x")
		ann.membership.Leave()
		eventually(t, "the version", func() bool {
			s, err := b.Store.Flow("f").Versions(context.Background()) // not over the list, which would make one
			return err == nil && len(s.List) == 1 && s.List[0].Seq == uint64(round+1)
		})
		v := b.versions("f")[0]
		if v.Title != fmt.Sprintf("round %d", round) || len(v.By) != 1 || v.By[0] != (flows.Author{ClientID: opts.ClientID, UserID: "u-ann", Name: "Ann"}) {
			t.Fatalf("%+v", v)
		}
		if s, _, err := b.Store.Flow("f").Summary(context.Background()); err != nil || !s.UpToDate() || s.Title != v.Title {
			t.Fatalf("the list is not up to date then: %+v, %v", s, err)
		}
		eventually(t, "the end of the flow on the edge", a.Empty)
	}
	again := a.join("f", flows.JoinOptions{Sync: true})
	again.wait("joined")
	again.membership.Leave()
	eventually(t, "the end of the flow on the edge", a.Empty)
	if list := b.versions("f"); len(list) != 1 { // within the rest: the second took the place of the first
		t.Fatalf("a session without a change: %+v", list)
	}
}

func TestVersions_whenASessionIsClosed_theDocumentAsItIsThenIsKept(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startKeeping(t, r.URL, "a", seldom), startKeeping(t, r.URL, "b", seldom)
	ann := a.follow("f", flows.JoinOptions{ClientID: "ann", Sync: true})
	b.join("f", flows.JoinOptions{}).wait("joined")
	ann.change(1, `{"nodes":{"n1":{}}}`)
	ann.acked(1)
	if _, err := b.flows.ForceClose(context.Background(), "f"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the version", func() bool {
		s, err := b.Store.Flow("f").Versions(context.Background())
		return err == nil && len(s.List) == 1 && s.List[0].Seq == 1 && s.List[0].Nodes == 1
	})
}

// Nobody was left to keep what the flow was: whoever asks for its versions has it kept.
func TestVersions_ofAFlowWhoseEdgesDied_areMadeWhenTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startKeeping(t, r.URL, "a", seldom), startKeeping(t, r.URL, "b", seldom)
	ann := a.follow("f", flows.JoinOptions{ClientID: "ann", UserID: "u", UserName: "Ann", Sync: true})
	ann.change(1, `{"nodes":{"n1":{}}}`)
	ann.acked(1)
	if list := b.versions("f"); len(list) != 0 {
		t.Fatalf("while people are in it: %+v", list)
	}
	a.kill()
	eventually(t, "the version", func() bool {
		list := b.versions("f")
		return len(list) == 1 && list[0].Seq == 1 && reflect.DeepEqual(people(&list[0]), []string{"Ann"})
	})
}

func TestNameVersion_isExact_amongChanges_andStays(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	bounds := often
	bounds.Keep = 4
	a, b := startKeeping(t, r.URL, "a", bounds), startKeeping(t, r.URL, "b", bounds)
	if _, err := a.flows.NameVersion(context.Background(), "f", "x"); !errors.Is(err, flows.ErrNoDocument) {
		t.Fatal(err)
	}
	ann := a.follow("f", flows.JoinOptions{ClientID: "ann", Sync: true})
	stop := ann.writing(1, "ann")
	ann.acked(1)
	var mu sync.Mutex
	var named []flows.Version
	var naming sync.WaitGroup
	for i := range bounds.Keep {
		naming.Go(func() {
			v, err := []*node{a, b}[i%2].flows.NameVersion(context.Background(), "f", fmt.Sprint(" name ", i, " "))
			if err != nil || v.Name != fmt.Sprint("name ", i) {
				t.Errorf("%+v, %v", v, err)
			}
			mu.Lock()
			named = append(named, v)
			mu.Unlock()
		})
	}
	naming.Wait()
	if _, err := a.flows.NameVersion(context.Background(), "f", "one more"); !errors.Is(err, flows.ErrVersionsFull) {
		t.Fatalf("a named version over the bound: %v", err)
	}
	timed := func() (n int) {
		for _, v := range b.versions("f") {
			if v.Name == "" {
				n++
			}
		}
		return n
	}
	first := b.versions("f")[0].Number
	eventually(t, "more versions than are kept", func() bool {
		list := b.versions("f")
		if timed() > bounds.Keep {
			t.Fatalf("%d versions by the clock, want %d at most", timed(), bounds.Keep)
		}
		return timed() == bounds.Keep && list[len(list)-1].Number < first && list[0].Number > first+uint64(8*bounds.Interval.Milliseconds())
	})
	stop()
	list := b.settled("f")
	for _, v := range named {
		if !slices.ContainsFunc(list, func(o flows.Version) bool { return o.ID == v.ID && o.Name == v.Name && o.Position == v.Position }) {
			t.Errorf("%+v is gone", v)
		}
	}
	b.mustBeExact("f", list)

	unnamed, err := b.flows.RenameVersion(context.Background(), "f", named[0].ID, nil)
	if err != nil || unnamed.Name != "" {
		t.Fatalf("%+v, %v", unnamed, err)
	}
	other := "Größe"
	if v, err := a.flows.RenameVersion(context.Background(), "f", named[1].ID, &other); err != nil || v.Name != other {
		t.Fatalf("%+v, %v", v, err)
	}
	if err := a.flows.RemoveVersion(context.Background(), "f", named[1].ID); err != nil {
		t.Fatal(err)
	}
	if err := a.flows.RemoveVersion(context.Background(), "f", named[1].ID); !errors.Is(err, flows.ErrNoVersion) {
		t.Fatal(err)
	}
	if _, _, err := a.flows.Version(context.Background(), "f", named[1].ID); !errors.Is(err, flows.ErrNoVersion) {
		t.Fatal(err)
	}
	if _, err := a.flows.RenameVersion(context.Background(), "f", "nobody's", &other); !errors.Is(err, flows.ErrNoVersion) {
		t.Fatal(err)
	}
}

func TestNameVersion_ofAStateThatIsKept_givesThatTheName(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startKeeping(t, r.URL, "a", seldom)
	a.mustReplace("f", `{"title":"One"}`)
	kept := a.versions("f") // nobody is in the flow: the list keeps what it is
	if len(kept) != 1 || kept[0].Seq != 1 || kept[0].Title != "One" {
		t.Fatalf("%+v", kept)
	}
	named := a.name("f", "First")
	if list := a.versions("f"); named.ID != kept[0].ID || len(list) != 1 || list[0].Name != "First" {
		t.Fatalf("%+v, %+v", named, list)
	}
	second := a.name("f", "Also")
	if list := a.versions("f"); len(list) != 2 || second.ID == named.ID || list[0].ID != second.ID || list[1].Name != "First" {
		t.Fatalf("%+v", list)
	}
}

func TestReplace_keepsWhatWasThereBefore(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startKeeping(t, r.URL, "a", seldom)
	ann := a.follow("f", flows.JoinOptions{ClientID: "ann", UserID: "u", UserName: "Ann", Sync: true})
	ann.change(1, `{"title":"of Ann","nodes":{"n1":{}}}`)
	ann.acked(1)
	a.mustReplace("f", `{"title":"put"}`)
	list := a.versions("f")
	if len(list) != 1 || list[0].Seq != 1 || a.version("f", list[0].ID) != `{"title":"of Ann","nodes":{"n1":{}}}` || !reflect.DeepEqual(people(&list[0]), []string{"Ann"}) {
		t.Fatalf("%+v", list)
	}
	back := a.mustReplace("f", a.version("f", list[0].ID)) // and so it is restored
	ann.reaches(`{"title":"of Ann","nodes":{"n1":{}}}`)
	if back.Seq != 3 {
		t.Fatalf("%+v", back)
	}
}

func TestVersions_goWithTheFlow(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startKeeping(t, r.URL, "a", often)
	ann := a.follow("f", flows.JoinOptions{ClientID: "ann", Sync: true})
	stop := ann.writing(1, "ann")
	ann.acked(3)
	named := a.name("f", "Named")
	eventually(t, "a version by the clock", func() bool { return len(a.versions("f")) >= 2 })
	stop()
	if err := a.flows.Delete(context.Background(), "f", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the flow on the edge", a.Empty)
	if _, _, err := a.flows.Version(context.Background(), "f", named.ID); len(a.versions("f")) != 0 || !errors.Is(err, flows.ErrNoVersion) {
		t.Fatalf("%+v, %v", a.versions("f"), err)
	}
	if err := r.Client(t).Get(context.Background(), a.lanes.Keys("f").Versions).Err(); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Fatalf("the key is still there: %v", err)
	}
	a.mustReplace("f", `{"title":"anew"}`)
	if list := a.versions("f"); len(list) != 1 || list[0].Title != "anew" {
		t.Fatalf("%+v", list)
	}
}

// What Redis forgot is gone; the document comes back from the edges, and versions are made of it again.
func TestVersions_goOnAfterRedisForgotEverything(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startKeeping(t, r.URL, "a", often)
	ann := a.follow("f", flows.JoinOptions{ClientID: "ann", UserID: "u", UserName: "Ann", Sync: true})
	ann.change(1, `{"nodes":{"n1":{}}}`)
	ann.acked(1)
	before := a.name("f", "Before")
	if err := r.Client(t).FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the document back", func() bool {
		d, err := a.document("f")
		return err == nil && d.Epoch != before.Epoch && string(d.JSON) == `{"nodes":{"n1":{}}}`
	})
	after := a.name("f", "After")
	if got := a.version("f", after.ID); got != `{"nodes":{"n1":{}}}` || after.Epoch == before.Epoch {
		t.Fatalf("%+v %s", after, got)
	}
	ann.change(2, `{"nodes":{"n2":{}}}`)
	ann.acked(2)
	eventually(t, "a version by the clock", func() bool {
		list := a.versions("f")
		return list[0].Name == "" && list[0].Nodes == 2 && list[0].Epoch == after.Epoch
	})
	if list := a.versions("f"); list[len(list)-1].ID != after.ID {
		t.Fatalf("%+v", list)
	}
}

// A Redis that comes back older still has the versions that it had: they stay readable under the new epoch.
func TestVersions_ofAnEpochBefore_stayUsable(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startKeeping(t, r.URL, "a", seldom)
	ann := a.follow("f", flows.JoinOptions{ClientID: "ann", Sync: true})
	ann.change(1, `{"nodes":{"n1":{}}}`)
	ann.acked(1)
	before := a.name("f", "Before")
	ann.change(2, `{"nodes":{"n2":{}}}`)
	ann.acked(2)
	ann.reaches(`{"nodes":{"n1":{},"n2":{}}}`)
	client := r.Client(t)
	k := a.lanes.Keys("f")
	for _, err := range []error{
		client.XDel(context.Background(), k.Log, "2-0").Err(),
		client.HSet(context.Background(), k.Head, "seq", 1, "at", 1).Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the document back", func() bool {
		d, err := a.document("f")
		return err == nil && d.Epoch != before.Epoch && string(d.JSON) == `{"nodes":{"n1":{},"n2":{}}}`
	})
	if list := a.versions("f"); len(list) != 1 || list[0].ID != before.ID || a.version("f", before.ID) != `{"nodes":{"n1":{}}}` {
		t.Fatalf("%+v", list)
	}
	now := a.name("f", "Now")
	if list := a.versions("f"); len(list) != 2 || a.version("f", now.ID) != `{"nodes":{"n1":{},"n2":{}}}` {
		t.Fatalf("%+v", list)
	}
}

func TestVersions_comeInPages(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startKeeping(t, r.URL, "a", seldom)
	a.mustReplace("f", `{}`)
	var want, got []string
	for i := range 7 {
		want = append([]string{a.name("f", fmt.Sprint(i)).ID}, want...)
	}
	cursor := ""
	for page := 0; ; page++ {
		p, err := a.flows.Versions(context.Background(), "f", cursor, 3)
		if err != nil || len(p.Versions) > 3 || page > 2 {
			t.Fatalf("%+v, %v", p, err)
		}
		for _, v := range p.Versions {
			got = append(got, v.ID)
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for _, cursor := range []string{"!", "MA", "LTE", "eA"} { // no base64, 0, -1, x
		if _, err := a.flows.Versions(context.Background(), "f", cursor, 0); !errors.Is(err, flows.ErrInvalidPageQuery) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

func TestVersions_off_areOnlyThoseWithAName(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a := startKeeping(t, r.URL, "a", session.VersionBounds{Keep: 5, Bytes: 1 << 20})
	a.mustReplace("f", `{"n":1}`)
	a.mustReplace("f", `{"n":2}`)
	if list := a.versions("f"); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	if a.name("f", "One"); len(a.versions("f")) != 1 {
		t.Fatalf("%+v", a.versions("f"))
	}
}

func TestList_tellsARenamedTitleAtOnce_andWhoIsIn(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startKeeping(t, r.URL, "a", seldom), startKeeping(t, r.URL, "b", seldom)
	a.mustReplace("f", `{"title":"One"}`)
	if _, err := a.flows.Change(context.Background(), "f", flows.Change{Changes: []byte(`{"title":"Two"}`)}); err != nil {
		t.Fatal(err)
	}
	if s := b.list(10)[0]; s.Title != "Two" || !s.UpToDate() {
		t.Fatalf("%+v", s)
	}
	ann := a.follow("f", flows.JoinOptions{ClientID: "ann", Sync: true, Presence: []byte(`{"name":"Ann","color":"#0a0","selection":["n1"]}`)})
	b.follow("f", flows.JoinOptions{ClientID: "bob", Sync: true, Presence: []byte(`{"name":7}`)})
	eventually(t, "both in the list", func() bool {
		all, err := b.flows.Members(context.Background(), []flows.ID{"f", "g"})
		if err != nil || len(all) != 2 || len(all[1]) != 0 {
			t.Fatalf("%+v, %v", all, err)
		}
		slices.SortFunc(all[0], func(x, y flows.Profile) int { return strings.Compare(x.ClientID, y.ClientID) })
		return reflect.DeepEqual(all[0], []flows.Profile{{ClientID: "ann", Name: "Ann", Color: "#0a0"}, {ClientID: "bob"}})
	})
	if _, err := b.flows.Change(context.Background(), "f", flows.Change{Changes: []byte(`{"title":"Three"}`)}); err != nil {
		t.Fatal(err)
	}
	ann.reaches(`{"title":"Three"}`)
	eventually(t, "the new title, while people are in it", func() bool { s := b.list(10)[0]; return s.Title == "Three" && s.UpToDate() })
}
