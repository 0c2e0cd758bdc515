package lanes_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"helix/shared/flows"
	"helix/shared/lanes"
	"helix/shared/redistest"
	"helix/shared/redistest/servers"
)

// ear remembers what it heard.
type ear struct {
	mu    sync.Mutex
	heard []string
	again int
	news  chan struct{}
}

func newEar() *ear { return &ear{news: make(chan struct{}, 1)} }

func (e *ear) Message(payload string) { e.note(func() { e.heard = append(e.heard, payload) }) }
func (e *ear) Resubscribed()          { e.note(func() { e.again++ }) }

func (e *ear) note(f func()) {
	e.mu.Lock()
	f()
	e.mu.Unlock()
	select {
	case e.news <- struct{}{}:
	default:
	}
}

// await waits until a condition on what was heard holds.
func (e *ear) await(t testing.TB, what string, holds func(heard []string, again int) bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		e.mu.Lock()
		ok := holds(e.heard, e.again)
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-e.news:
		case <-deadline.C:
			t.Fatalf("%s: did not come; heard %d, resubscribed %d times", what, len(e.heard), e.again)
		}
	}
}

func subscribe(t testing.TB, l *lanes.Lanes, channel string, h lanes.Handler) *lanes.Subscription {
	t.Helper()
	s := l.Subscribe(channel, h)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Fatalf("subscribe to %s: %v", channel, err)
	}
	return s
}

var say = lanes.NewScript("say", `return redis.call(ARGV[1], KEYS[1], ARGV[2])`)

// publish says a word on a channel, which its lane's server must carry: as the scripts do.
func publish(t testing.TB, l *lanes.Lanes, channel, word string) {
	t.Helper()
	if _, err := l.Run(context.Background(), say, []string{channel}, l.PublishCommand(), word); err != nil {
		t.Fatal(err)
	}
}

func channels(l *lanes.Lanes, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = l.Keys(flows.ID(fmt.Sprint("f", i))).Channel
	}
	return all
}

func TestSubscribe_hearsItsChannelAlone_inOrder(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := open(t, lanes.Options{URL: url})
		all := channels(l, 50)
		ears := make([]*ear, len(all))
		for i, channel := range all {
			ears[i] = newEar()
			subscribe(t, l, channel, ears[i])
		}
		const words = 20
		for w := range words {
			for _, channel := range all {
				publish(t, l, channel, channel+" "+strconv.Itoa(w))
			}
		}
		for i, e := range ears {
			e.await(t, all[i], func(heard []string, _ int) bool { return len(heard) == words })
			for w, got := range e.heard {
				if want := all[i] + " " + strconv.Itoa(w); got != want {
					t.Fatalf("word %d is %q, want %q", w, got, want)
				}
			}
		}
	})
}

// The last leave of a flow and its next join come as close as they like: whoever was told that it
// listens hears all that is published from then on.
func TestSubscribe_rightAfterClose_hearsAll(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := open(t, lanes.Options{URL: url})
		var all sync.WaitGroup
		for _, channel := range channels(l, 8) {
			all.Go(func() {
				for round := range 60 {
					e := newEar()
					s := subscribe(t, l, channel, e)
					word := strconv.Itoa(round)
					publish(t, l, channel, word)
					e.await(t, "the word of the round", func(heard []string, _ int) bool { return len(heard) > 0 && heard[len(heard)-1] == word })
					s.Close()
				}
			})
		}
		all.Wait()
	})
}

func TestSubscribe_comesBack_afterTheConnectionIsLost_andSaysSo(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	back := make(chan struct{}, 10)
	l := open(t, lanes.Options{URL: server.URL, Reconnected: func() { back <- struct{}{} }})
	admin := server.Client(t)
	kept, closed := newEar(), newEar()
	all := channels(l, 2)
	subscribe(t, l, all[0], kept)
	gone := subscribe(t, l, all[1], closed)
	gone.Close()
	for lost := range 3 {
		if err := admin.Do(context.Background(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
			t.Fatal(err)
		}
		kept.await(t, "the word that it listens again", func(_ []string, again int) bool { return again == lost+1 })
		publish(t, l, all[0], strconv.Itoa(lost))
		kept.await(t, "a message after it", func(heard []string, _ int) bool { return len(heard) == lost+1 })
		<-back
	}
	if len(closed.heard)+closed.again > 0 {
		t.Error("a subscription that was closed heard something")
	}
}

func TestSubscribe_comesBack_afterRedisWasAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	l := open(t, lanes.Options{URL: server.URL, Timeout: time.Second})
	channel := channels(l, 1)[0]
	e := newEar()
	subscribe(t, l, channel, e)
	server.Kill()
	late := l.Subscribe(channels(l, 2)[1], newEar())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := late.Wait(ctx); err == nil || ctx.Err() != nil {
		t.Fatalf("a first attempt without Redis: %v", err)
	}
	late.Close()
	if err := server.Run(); err != nil {
		t.Fatal(err)
	}
	e.await(t, "the word that it listens again", func(_ []string, again int) bool { return again > 0 })
	publish(t, l, channel, "word")
	e.await(t, "a message after it", func(heard []string, _ int) bool { return len(heard) == 1 })
}

// On Cluster a lane's channels move with its slot: the listener follows.
func TestSubscribe_followsItsSlot(t *testing.T) {
	t.Parallel()
	r := redistest.Begin(t, servers.Cluster, servers.Options{})
	l := open(t, lanes.Options{URL: r.URL})
	channel := channels(l, 1)[0]
	e := newEar()
	subscribe(t, l, channel, e)
	redistest.Move(t, r, channel)
	e.await(t, "the word that it listens again", func(_ []string, again int) bool { return again > 0 })
	publish(t, l, channel, "word")
	e.await(t, "a message after the move", func(heard []string, _ int) bool { return len(heard) == 1 })
}
