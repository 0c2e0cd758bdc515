package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"helix/shared/flows"
)

func TestJoin_countsAcrossNodes_andTellsEverybody(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	one := a.join("f", flows.JoinOptions{})
	one.wait("joined 1 at 0")
	one.wait("client_joined 1")
	two := b.join("  f ", flows.JoinOptions{})
	two.wait("joined 2 at 0")
	two.wait("client_joined 2")
	one.wait("client_joined 2")
	two.membership.Leave()
	two.membership.Leave()
	one.wait("client_left 1")
	one.mu.Lock()
	defer one.mu.Unlock()
	want := "joined 1 at 0|client_joined 1|client_joined 2|client_left 1"
	if got := strings.Join(one.lines, "|"); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestChange_reachesEveryMemberInOrder_andTheReplyComesFirst(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	nodes := []*node{startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick), startNode(t, r.URL, "c", quick)}
	const members, each = 6, 100
	var clients []*client
	for i := range members {
		c := nodes[i%3].join("f", flows.JoinOptions{ClientID: fmt.Sprint("c", i)})
		c.wait("joined")
		clients = append(clients, c)
	}
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			for n := range each {
				c.change(fmt.Sprintf("%d", n), fmt.Sprintf(`{"%d":%d}`, i, n))
			}
		})
	}
	wg.Wait()
	var first []string
	for i, c := range clients {
		c.waitNth("update", members*each)
		c.waitNth("ok", each)
		updates := c.all("update")
		if first == nil {
			first = updates
		}
		if !slices.Equal(updates, first) {
			t.Fatalf("client %d saw another order", i)
		}
		for n, u := range updates {
			if !strings.HasPrefix(u, fmt.Sprintf("update %d ", n+1)) {
				t.Fatalf("client %d: update %d is %q", i, n, u)
			}
		}
		c.mu.Lock()
		next := 0
		for at, l := range c.lines {
			var tag, seq int
			if n, _ := fmt.Sscanf(l, "ok %d %d", &tag, &seq); n == 2 {
				if tag != next {
					t.Fatalf("client %d: answer %d, want %d", i, tag, next)
				}
				next++
				if own := slices.Index(c.lines, fmt.Sprintf(`update %d {"%d":%d}`, seq, i, tag)); own < at {
					t.Fatalf("client %d: update %d at line %d, its reply at %d", i, seq, own, at)
				}
			}
		}
		c.mu.Unlock()
	}
}

func TestChange_withoutEcho(t *testing.T) {
	t.Parallel()
	n := startNode(t, startRedis(t).URL, "a", quick)
	quiet, other := n.join("f", flows.JoinOptions{NoEcho: true}), n.join("f", flows.JoinOptions{})
	quiet.wait("joined")
	other.wait("joined")
	quiet.change("1", `{"own":1}`)
	quiet.wait("ok 1")
	other.wait("update 1")
	other.change("2", `{"others":1}`)
	quiet.wait("update 2")
	if got := quiet.all("update"); len(got) != 1 {
		t.Fatalf("got its own: %q", got)
	}
}

func TestJoin_startsExactlyAfterItsSeq_whileOthersChange(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	writer := a.join("f", flows.JoinOptions{})
	writer.wait("joined")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				writer.change("t", fmt.Sprintf(`{"i":%d}`, i))
				writer.waitNth("ok", i+1)
			}
		}
	})
	for i := range 60 {
		c := []*node{a, b}[i%2].join("f", flows.JoinOptions{})
		var count, seq int
		if _, err := fmt.Sscanf(c.wait("joined"), "joined %d at %d", &count, &seq); err != nil {
			t.Fatal(err)
		}
		c.waitNth("update", 3)
		for n, u := range c.all("update") {
			if !strings.HasPrefix(u, fmt.Sprintf("update %d ", seq+1+n)) {
				t.Fatalf("joined at %d, update number %d is %q", seq, n+1, u)
			}
		}
		c.membership.Leave()
	}
	close(stop)
	wg.Wait()
}

func TestJoin_isExactAtTheLimit_acrossNodes(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	o := quick
	o.MaxClients = 100
	nodes := []*node{startNode(t, r.URL, "a", o), startNode(t, r.URL, "b", o), startNode(t, r.URL, "c", o)}
	clients := make([]*client, 150)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { clients[i] = nodes[i%3].join("f", flows.JoinOptions{}) })
	}
	wg.Wait()
	in, out := []*client{}, 0
	for _, c := range clients {
		c.until(func(l []string) bool { return len(l) > 0 }, "answer")
		if len(c.all("joined")) == 1 {
			in = append(in, c)
		} else {
			c.wait("refused max_clients_reached")
			out++
		}
	}
	if len(in) != 100 || out != 50 {
		t.Fatalf("%d in, %d refused", len(in), out)
	}
	in[0].membership.Leave()
	eventually(t, "a freed place is taken", func() bool {
		c := nodes[1].join("f", flows.JoinOptions{})
		c.until(func(l []string) bool { return len(l) > 0 }, "answer")
		return len(c.all("joined")) == 1
	})
}

func TestJoin_stormIsToldInFewNotices(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	watcher := a.join("f", flows.JoinOptions{})
	watcher.wait("client_joined 1")
	const storm = 300
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range storm {
		wg.Go(func() { []*node{a, b}[i%2].join("f", flows.JoinOptions{}).wait("joined") })
	}
	wg.Wait()
	watcher.wait(fmt.Sprint("client_joined ", storm+1))
	if n, most := len(watcher.all("client_joined")), 3+int(time.Since(begin)/(100*time.Millisecond)); n > most {
		t.Fatalf("%d notices in %v, want at most %d", n, time.Since(begin), most)
	}
}

func TestLeaveAndJoin_raceLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				c := []*node{a, b}[i%2].join(fmt.Sprint("f", i/4), flows.JoinOptions{})
				if i%3 == 0 {
					c.membership.Leave()
					continue
				}
				c.wait("joined")
				c.change("1", `{"a":1}`)
				c.wait("update")
				c.membership.Leave()
			}
		})
	}
	wg.Wait()
	eventually(t, "both hubs are empty", func() bool { return a.Empty() && b.Empty() })
	client := r.Client(t)
	eventually(t, "no subscription is left", func() bool {
		channels, err := client.PubSubChannels(context.Background(), "*").Result()
		return err == nil && len(channels) == 0
	})
	if active, err := a.flows.ActiveSessions(context.Background()); err != nil || len(active) != 0 {
		t.Fatalf("sessions left: %v, %v", active, err)
	}
	c := a.join("f0", flows.JoinOptions{})
	c.wait("joined 1")
}

func TestForceClose_endsEverybodysSession_andTheNextJoinIsTheFirst(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	clients := []*client{a.join("f", flows.JoinOptions{}), b.join("f", flows.JoinOptions{}), b.join("f", flows.JoinOptions{})}
	for _, c := range clients {
		c.wait("joined")
	}
	elsewhere := startNode(t, r.URL, "c", quick)
	affected, err := elsewhere.flows.ForceClose(context.Background(), " f")
	if err != nil || affected != 3 {
		t.Fatalf("affected %d, %v", affected, err)
	}
	for _, c := range clients {
		c.wait(fmt.Sprint("ended ", flows.EndDeleted))
		c.wait("deleted")
	}
	c := b.join("f", flows.JoinOptions{})
	c.wait("joined 1")
	c.wait("client_joined 1")
}

func TestNode_killedOnesClientsLeaveTheCount_withinOneLease(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	for range 3 {
		a.join("f", flows.JoinOptions{}).wait("joined")
	}
	c := b.join("f", flows.JoinOptions{})
	c.wait("joined 4")
	begin := time.Now()
	a.kill()
	c.wait("client_left 1")
	if took := time.Since(begin); took > quick.LeaseTTL {
		t.Fatalf("took %v, the lease is %v", took, quick.LeaseTTL)
	}
	c.change("1", `{"a":1}`)
	c.wait("ok 1")
}

func TestSession_endsWhenNothingHappens(t *testing.T) {
	t.Parallel()
	o := quick
	o.LeaseTTL, o.InactivityTimeout = 300*time.Millisecond, 700*time.Millisecond
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", o), startNode(t, r.URL, "b", o)
	begin := time.Now()
	one, two := a.join("f", flows.JoinOptions{}), b.join("f", flows.JoinOptions{})
	one.wait(fmt.Sprint("ended ", flows.EndIdle))
	two.wait(fmt.Sprint("ended ", flows.EndIdle))
	if took := time.Since(begin); took < o.InactivityTimeout {
		t.Fatalf("after %v", took)
	}
	eventually(t, "both hubs are empty", func() bool { return a.Empty() && b.Empty() })
}

func TestRedis_away_joinsAndChangesAreUnavailable_membersStay_andAllGoesOn(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	one, two := a.join("f", flows.JoinOptions{}), b.join("f", flows.JoinOptions{})
	one.wait("client_joined 2")
	two.wait("joined")
	r.Kill()
	one.change("1", `{"a":1}`)
	one.wait("error 1 unavailable")
	a.join("f", flows.JoinOptions{}).wait("refused unavailable")
	b.join("another", flows.JoinOptions{}).wait("refused unavailable")
	if _, err := a.flows.Status(context.Background(), "f"); !errors.Is(err, flows.ErrUnavailable) {
		t.Fatalf("status: %v", err)
	}
	if err := r.Run(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "changes go on, to both", func() bool {
		n := len(two.all("update"))
		one.change("2", `{"b":1}`)
		deadline := time.Now().Add(time.Second)
		for len(two.all("update")) == n && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
		return len(two.all("update")) > n
	})
	eventually(t, "Redis knows everybody again", func() bool {
		s, err := a.flows.Status(context.Background(), "f")
		return err == nil && s.ClientCount == 2
	})
	three := b.join("f", flows.JoinOptions{})
	three.wait("joined 3")
	one.wait("client_joined 3")
	if n := len(one.all("ended")) + len(two.all("ended")); n > 0 {
		t.Fatal("a member was ended")
	}
}

// broken panics when it encodes a certain change.
type broken struct{}

func (broken) AppendFrame(dst []byte, e flows.Event) []byte {
	if strings.Contains(e.Changes, "boom") {
		panic("boom")
	}
	return plain{}.AppendFrame(dst, e)
}

func TestPanic_inOneFlowsCodeFailsThatFlowAlone_andItStartsAnew(t *testing.T) {
	t.Parallel()
	n := startNode(t, startRedis(t).URL, "a", quick)
	other := n.join("other", flows.JoinOptions{})
	other.wait("joined")
	one, two := n.joinAs("f", flows.JoinOptions{}, broken{}), n.join("f", flows.JoinOptions{})
	one.wait("joined")
	two.wait("joined")
	one.change("1", `{"a":"boom"}`)
	for _, c := range []*client{one, two} {
		c.wait(fmt.Sprint("ended ", flows.EndFailed))
	}
	eventually(t, "one restart", func() bool { return n.restarts.Load() == 1 })
	again := n.join("f", flows.JoinOptions{})
	again.wait("joined 1 at 1")
	again.change("2", `{"a":2}`)
	again.wait("update 2")
	other.change("3", `{}`)
	other.wait("update 1")
	if got := other.all("ended"); len(got) > 0 {
		t.Fatalf("the other flow: %q", got)
	}
}

func TestMember_leavesWhileItWaits_andTheCountIsRight(t *testing.T) {
	t.Parallel()
	n := startNode(t, startRedis(t).URL, "a", quick)
	for range 20 {
		n.join("f", flows.JoinOptions{}).membership.Leave()
	}
	c := n.join("f", flows.JoinOptions{})
	c.wait("joined")
	eventually(t, "one client", func() bool {
		s, err := n.flows.Status(context.Background(), "f")
		return err == nil && s.ClientCount == 1
	})
}
