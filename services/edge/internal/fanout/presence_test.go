package fanout_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"helix/shared/flows"
)

func present(clientID, meta string) flows.JoinOptions {
	return flows.JoinOptions{ClientID: clientID, Presence: []byte(meta)}
}

// seen is what a client knows of the others, as the official client's Presence keeps it: each line
// "client meta". A leave of what is not there is a defect.
func seen(t testing.TB, lines []string) []string {
	t.Helper()
	all := map[string]string{} // by ref
	fields := func(s string, each func(client, ref, meta string)) {
		f := strings.Fields(s)
		for i := 0; i+2 < len(f); i += 3 {
			each(f[i], f[i+1], f[i+2])
		}
	}
	join := func(client, ref, meta string) { all[ref] = client + " " + meta }
	for _, l := range lines {
		if state, ok := strings.CutPrefix(l, "state"); ok {
			clear(all)
			fields(state, join)
		}
		if diff, ok := strings.CutPrefix(l, "diff"); ok {
			joins, leaves, _ := strings.Cut(diff, " /")
			fields(joins, join)
			fields(leaves, func(client, ref, meta string) {
				if all[ref] != client+" "+meta {
					t.Errorf("%s left as %s, which it was not, in:\n%s", client, ref, strings.Join(lines, "\n"))
				}
				delete(all, ref)
			})
		}
	}
	return slices.Sorted(maps.Values(all))
}

// sees waits until a client knows of these and no others.
func (c *client) sees(want ...string) {
	c.t.Helper()
	slices.Sort(want)
	c.until(func(lines []string) bool { return slices.Equal(seen(c.t, lines), want) }, fmt.Sprintf("presence of %q", want))
}

func TestPresence_isSeenAcrossNodes_byThoseWhoTakePart(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	plain := a.join("f", flows.JoinOptions{})
	plain.wait("joined")
	ann := a.join("f", present("ann", `{"at":1}`))
	ann.sees(`ann {"at":1}`)
	bob := b.join("f", present("bob", `{}`))
	ann.sees(`ann {"at":1}`, `bob {}`)
	bob.sees(`ann {"at":1}`, `bob {}`)
	tab := b.join("f", present("ann", `{"at":2}`)) // the same client in another place
	for _, c := range []*client{ann, bob, tab} {
		c.sees(`ann {"at":1}`, `ann {"at":2}`, `bob {}`)
	}
	for i := range 50 {
		bob.membership.Present(fmt.Appendf(nil, `{"n":%d}`, i))
	}
	for _, c := range []*client{ann, bob, tab} {
		c.sees(`ann {"at":1}`, `ann {"at":2}`, `bob {"n":49}`)
	}
	if n := len(ann.all("diff")); n > 30 {
		t.Errorf("50 updates in a moment are told in %d diffs", n)
	}
	tab.membership.Leave()
	ann.sees(`ann {"at":1}`, `bob {"n":49}`)
	ann.membership.Leave()
	bob.sees(`bob {"n":49}`)
	bob.membership.Leave()
	late := a.join("f", present("late", `{}`))
	late.sees(`late {}`)
	if n := len(plain.all("state")) + len(plain.all("diff")); n > 0 {
		t.Errorf("a plain member was told %d times", n)
	}
}

func TestPresence_ghostsOfAKilledNodeLeave_withinOneLease(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann, bob := a.join("f", present("ann", `{}`)), b.join("f", present("bob", `{}`))
	ann.sees(`ann {}`, `bob {}`)
	bob.sees(`ann {}`, `bob {}`)
	b.kill()
	ann.sees(`ann {}`)
}

func TestPresence_isToldAgain_whenRedisForgotIt(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann, bob := a.join("f", present("ann", `{}`)), b.join("f", present("bob", `{}`))
	bob.sees(`ann {}`, `bob {}`)
	ann.sees(`ann {}`, `bob {}`)
	if err := r.Client(t).FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	late := a.join("f", present("late", `{}`))
	for _, c := range []*client{late, ann, bob} {
		c.sees(`ann {}`, `bob {}`, `late {}`)
	}
	ann.membership.Leave()
	bob.sees(`bob {}`, `late {}`)
}

// Messages that were lost with a connection are noticed by the version.
func TestPresence_isReadAgain_afterALostConnection(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann, bob := a.join("f", present("ann", `{}`)), b.join("f", present("bob", `{}`))
	ann.sees(`ann {}`, `bob {}`)
	admin := r.Client(t)
	for i := range 5 {
		if err := admin.Do(context.Background(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
			t.Fatal(err)
		}
		bob.membership.Present(fmt.Appendf(nil, `{"n":%d}`, i))
	}
	ann.sees(`ann {}`, `bob {"n":4}`)
	bob.sees(`ann {}`, `bob {"n":4}`)
}

func TestPresence_endsWithItsSession(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann, bob := a.join("f", present("ann", `{}`)), b.join("f", present("bob", `{}`))
	ann.sees(`ann {}`, `bob {}`)
	if n, err := a.flows.ForceClose(context.Background(), "f"); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	bob.wait("ended")
	again := b.join("f", present("again", `{}`))
	again.sees(`again {}`)
}

func TestSignals_reachTheOthers_theNewestWins(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	ann, near, far := a.join("f", following("ann")), a.join("f", following("near")), b.join("f", present("far", `{}`))
	plain := b.join("f", flows.JoinOptions{})
	for _, c := range []*client{ann, near, far, plain} {
		c.wait("joined")
	}
	const moves = 500
	for i := range moves {
		ann.membership.Signal(flows.Signal{Type: "cursor", Data: fmt.Appendf(nil, `{"x":%d}`, i)})
	}
	ann.membership.Signal(flows.Signal{Type: "typing", Data: []byte(`true`)})
	for _, c := range []*client{near, far} {
		c.wait(fmt.Sprintf(`signal ann cursor {"x":%d}`, moves-1))
		c.wait(`signal ann typing true`)
		if n := len(c.all("signal ann cursor")); n > 50 {
			t.Errorf("%d cursors of %d in a moment were passed on", n, moves)
		}
	}
	if n := len(ann.all("signal")) + len(plain.all("signal")); n > 0 {
		t.Errorf("the sender and a plain member got %d", n)
	}
}

func TestSignals_aMemberThatIsSlowGetsTheNewest(t *testing.T) {
	t.Parallel()
	a := startNode(t, startRedis(t).URL, "a", quick)
	ann, near := a.join("f", following("ann")), a.join("f", following("near"))
	slow := a.follow("f", following("slow"))
	slow.slow(0)
	near.wait("joined")
	for i := range 5 {
		ann.membership.Signal(flows.Signal{Type: "cursor", Data: fmt.Append(nil, i)})
		near.wait(fmt.Sprint("signal ann cursor ", i))
	}
	slow.drain(-1)
	slow.until("the newest", func() bool { return slow.signals == "cursor 4" })
}
