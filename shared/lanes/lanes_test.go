package lanes_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"helix/shared/flows"
	"helix/shared/lanes"
	"helix/shared/redistest"
)

const patience = 20 * time.Second

func open(t testing.TB, o lanes.Options) *lanes.Lanes {
	t.Helper()
	with := redistest.Options(o.URL)
	with.Prefix, with.Timeout, with.Reconnected, with.Lanes = redistest.Prefix+":"+strings.ToLower(t.Name()), o.Timeout, o.Reconnected, o.Lanes
	l, err := lanes.Open(with)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

var echo = lanes.NewScript("echo", `return {KEYS[1], ARGV[1]}`)

func TestOpen_saysWhatIsWrongWithAURL_withoutItsPassword(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://:geheim@localhost":            "scheme",
		"redis://:geheim@localhost:x/0":       "parse",
		"redis://:geheim@localhost/name":      "parse",
		"redis-sentinel://:geheim@a,b":        "no master",
		"redis-sentinel://:geheim@a/main/one": "no number",
		"localhost:6379":                      "scheme",
	} {
		_, err := lanes.Open(lanes.Options{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v, want a word of %q and no password", url, err, want)
		}
	}
}

func TestOpen_needsNoRedis_andCallsSayThatItIsAway(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"redis://127.0.0.1:1", "redis-cluster://127.0.0.1:1", "redis-sentinel://127.0.0.1:1/main"} {
		l := open(t, lanes.Options{URL: url, Timeout: time.Second})
		if err := l.Ping(context.Background()); err == nil {
			t.Errorf("%s: a ping was answered", url)
		}
		if _, err := l.Run(context.Background(), echo, []string{"helix:{0}k"}, "x"); err == nil || !strings.Contains(err.Error(), "run the echo script") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestRun_answersEachCallWithItsOwn(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := open(t, lanes.Options{URL: url})
		var calls sync.WaitGroup
		for i := range 500 {
			calls.Go(func() {
				key, arg := l.Keys(flows.ID(fmt.Sprint("f", i))).Head, fmt.Sprint(i)
				got, err := l.Run(context.Background(), echo, []string{key}, arg)
				if want := []any{key, arg}; err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%v, %v, want %v", got, err, want)
				}
			})
		}
		calls.Wait()
	})
}

func TestRun_sendsAScriptAnew_thatRedisForgot(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	l := open(t, lanes.Options{URL: server.URL})
	for range 2 {
		if _, err := l.Run(context.Background(), echo, []string{"helix:{0}k"}, "x"); err != nil {
			t.Fatal(err)
		}
		if err := server.Client(t).ScriptFlush(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRun_oneCallsError_isNotItsNeighbours(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := open(t, lanes.Options{URL: url})
		broken := lanes.NewScript("broken", `return redis.error_reply('BROKEN on purpose')`)
		var calls sync.WaitGroup
		for i := range 100 {
			calls.Go(func() {
				if i%2 == 0 {
					if _, err := l.Run(context.Background(), broken, []string{"helix:{0}k"}); err == nil || !strings.Contains(err.Error(), "BROKEN") {
						t.Errorf("%v", err)
					}
				} else if _, err := l.Run(context.Background(), echo, []string{"helix:{0}k"}, "x"); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
	})
}

func TestRun_givesUp_whenItsCallerDoes_andWhenRedisIsSilent(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	l := open(t, lanes.Options{URL: server.URL, Timeout: 500 * time.Millisecond})
	server.Pause()
	defer server.Resume()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.Run(ctx, echo, []string{"helix:{0}k"}, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("its caller gave up: %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := l.Run(ctx, echo, []string{"helix:{0}k"}, "x"); err == nil || ctx.Err() != nil {
		t.Errorf("Redis is silent: %v", err)
	}
}

func TestClose_answersWhoComesLater(t *testing.T) {
	t.Parallel()
	l := open(t, lanes.Options{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Run(context.Background(), echo, []string{"k"}, "x"); !errors.Is(err, lanes.ErrClosed) {
		t.Fatal(err)
	}
}

func TestKeys_ofAFlow_areInTheIndexOfItsLane(t *testing.T) {
	t.Parallel()
	l := open(t, lanes.Options{Lanes: 3})
	seen := map[string]bool{}
	for i := range 100 {
		seen[l.Keys(flows.ID(fmt.Sprint("flow ", i))).Index] = true
	}
	index := l.IndexKeys()
	if len(index) != 3 || len(seen) != 3 {
		t.Fatalf("%v, seen %v", index, seen)
	}
	for _, key := range index {
		if !seen[key] {
			t.Errorf("no flow is in %s", key)
		}
	}
}
