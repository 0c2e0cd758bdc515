package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"helix/shared/flows"
	"helix/shared/lanes"
	"helix/shared/redistest"
	"helix/shared/session"
)

// modelRedis is the Redis that the model is held against, with one flow in it.
type modelRedis struct {
	lanes    *lanes.Lanes
	keys     lanes.Keys
	payloads chan string // what was published on the flow's channel
	marks    int

	stand *clockedRedis // nil: a real one, whose clock nobody moves
	since time.Time
}

const modelFlow flows.ID = "f"

// onStandIn is a stand-in of its own, whose clock moves only when it is told to.
func onStandIn(t *testing.T) *modelRedis {
	t.Helper()
	stand := startClocked(t)
	r := openModel(t, stand.url())
	r.stand = stand
	return r
}

// onServer is a redis-server of its own.
func onServer(t *testing.T) *modelRedis {
	t.Helper()
	return openModel(t, redistest.Start(t).URL)
}

func openModel(t *testing.T, url string) *modelRedis {
	t.Helper()
	l := openLanes(t, url)
	r := &modelRedis{lanes: l, keys: l.Keys(modelFlow), payloads: make(chan string, 1000), since: time.Now()}
	s := session.NewStore(l, "listener", patient).Flow(modelFlow).Listen(rawHandler(r.payloads))
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Fatalf("listen: %v", err)
	}
	return r
}

type rawHandler chan string

func (h rawHandler) Message(payload string) { h <- payload }
func (h rawHandler) Resubscribed()          {}

// mark is of a kind that no edge knows; it is published to see that nothing else comes before it.
const mark = "~ "

// published gives what was published since it was last asked.
func (r *modelRedis) published(t *rapid.T) (payloads []string) {
	r.marks++
	m := fmt.Sprint(mark, r.marks)
	must(t, r.lanes.Client().Publish(context.Background(), r.keys.Channel, m).Err())
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case p := <-r.payloads:
			if p == m {
				return payloads
			}
			if !strings.HasPrefix(p, mark) {
				payloads = append(payloads, p)
			}
		case <-deadline.C:
			t.Fatal("nothing is published any more")
		}
	}
}

// begin empties Redis; the clock of the stand-in begins anew, so that a run can be told again.
func (r *modelRedis) begin(t *rapid.T, s *spec) {
	if r.stand != nil {
		r.stand.jump(clockStart.Sub(r.stand.now))
	}
	r.forget(t)
	r.published(t)
	r.tick(t, s)
}

// slack is by how much a time may differ from the model's; the real clock moves while one looks.
func (r *modelRedis) slack() time.Duration {
	if r.stand != nil {
		return 0
	}
	return 5 * time.Minute
}

// tick tells the model what time it is.
func (r *modelRedis) tick(t *rapid.T, s *spec) {
	if r.stand != nil {
		s.time = r.stand.now.UnixMilli()
		return
	}
	now, err := r.lanes.Client().Time(context.Background()).Result()
	must(t, err)
	s.time, s.age = now.UnixMilli(), time.Since(r.since).Milliseconds()
}

// wait lets a real clock go on, so that no run has the time of one that was lost.
func (r *modelRedis) wait(t *rapid.T, s *spec) {
	for was := s.time; r.stand == nil && s.time == was; {
		r.tick(t, s)
	}
}

// pass moves both clocks: TIME by d, TTLs only forwards.
func (r *modelRedis) pass(s *spec, d time.Duration) {
	s.pass(d)
	r.stand.jump(d)
}

func (r *modelRedis) forget(t *rapid.T) {
	must(t, r.lanes.Client().FlushAll(context.Background()).Err())
}

// backup is a copy of all keys.
type backup struct {
	keys []savedKey
	spec *spec // what the model held at the time
}

type savedKey struct {
	name    string
	text    string // each key has one of these
	hash    map[string]string
	entries []redis.XMessage
	scores  []redis.Z
	ttl     time.Duration // negative: none
}

func (r *modelRedis) backup(t *rapid.T, s *spec) *backup {
	ctx, c := context.Background(), r.lanes.Client()
	names, err := c.Keys(ctx, "*").Result()
	must(t, err)
	b := &backup{spec: s.clone()}
	for _, name := range names {
		k := savedKey{name: name}
		kind, err := c.Type(ctx, name).Result()
		must(t, err)
		switch kind {
		case "string":
			k.text, err = c.Get(ctx, name).Result()
		case "hash":
			k.hash, err = c.HGetAll(ctx, name).Result()
		case "stream":
			k.entries, err = c.XRange(ctx, name, "-", "+").Result()
		case "zset":
			k.scores, err = c.ZRangeWithScores(ctx, name, 0, -1).Result()
		default:
			err = errors.New("a key of a kind that is not copied: " + kind)
		}
		must(t, err)
		k.ttl, err = c.PTTL(ctx, name).Result()
		must(t, err)
		b.keys = append(b.keys, k)
	}
	return b
}

// comeBackOlder puts a copy in the place of everything. What was to end meanwhile has ended.
func (r *modelRedis) comeBackOlder(t *rapid.T, s *spec, b *backup) {
	r.forget(t)
	elapsed := time.Duration(s.age-b.spec.age) * time.Millisecond
	ctx, c := context.Background(), r.lanes.Client()
	for _, k := range b.keys {
		if k.ttl >= 0 && k.ttl <= elapsed {
			continue
		}
		switch {
		case k.hash != nil:
			must(t, c.HSet(ctx, k.name, k.hash).Err())
		case k.scores != nil:
			must(t, c.ZAdd(ctx, k.name, k.scores...).Err())
		case k.text != "":
			must(t, c.Set(ctx, k.name, k.text, 0).Err())
		case len(k.entries) == 0: // a log that was trimmed to nothing
			must(t, c.XAdd(ctx, &redis.XAddArgs{Stream: k.name, ID: "0-1", Values: []string{"u", ""}}).Err())
			must(t, c.XTrimMaxLen(ctx, k.name, 0).Err())
		}
		for _, e := range k.entries {
			must(t, c.XAdd(ctx, &redis.XAddArgs{Stream: k.name, ID: e.ID, Values: e.Values}).Err())
		}
		if k.ttl >= 0 {
			must(t, c.PExpire(ctx, k.name, k.ttl-elapsed).Err())
		}
	}
	s.comeBackOlder(b.spec)
}

// lives gives how long each of the flow's keys lives on, by name; a key that never ends is a mistake.
func (r *modelRedis) lives(t *rapid.T) map[string]time.Duration {
	k := r.keys
	names := map[string]string{
		"lease": k.Lease, "session": k.Session, "head": k.Head, "log": k.Log, "snapshot": k.Snapshot, "answered": k.Answered,
		"versions": k.Versions, "authors": k.Authors,
	}
	ctx, left := context.Background(), map[string]*redis.DurationCmd{}
	_, err := r.lanes.Client().Pipelined(ctx, func(p redis.Pipeliner) error {
		for name, key := range names {
			left[name] = p.PTTL(ctx, key)
		}
		return nil
	})
	must(t, err)
	out := map[string]time.Duration{}
	for name, cmd := range left {
		switch ttl := cmd.Val(); {
		case ttl == -1:
			t.Errorf("the key %s never ends", name)
		case ttl >= 0:
			out[name] = ttl
		}
	}
	return out
}

// lives is the same of the model.
func (s *spec) lives() map[string]time.Duration {
	out := map[string]time.Duration{}
	put := func(name string, until int64) { out[name] = time.Duration(until-s.age) * time.Millisecond }
	if s.lease != nil {
		put("lease", s.lease.until)
	}
	if s.session != nil {
		put("session", s.session.until)
	}
	if s.head != nil {
		put("head", s.head.until)
	}
	if s.log != nil {
		put("log", s.log.until)
	}
	if s.snapshot != nil {
		put("snapshot", s.snapshot.until)
	}
	if s.answered != nil {
		put("answered", s.answered.until)
	}
	if s.versions != nil {
		put("versions", s.versions.until)
	}
	if s.authors != nil {
		put("authors", s.authors.until)
	}
	return out
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("talk to Redis: %v", err)
	}
}
