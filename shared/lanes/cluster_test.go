package lanes_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"helix/shared/lanes"
	"helix/shared/redistest"
	"helix/shared/redistest/servers"
)

var (
	count = lanes.NewScript("count", `return redis.call('INCR', KEYS[1])`)
	both  = lanes.NewScript("both", `return redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2])`)
)

// owner gives who has a key's slot, and another master.
func owner(t *testing.T, r *servers.Redis, key string) (slot int, from, to *servers.Server) {
	t.Helper()
	ctx := context.Background()
	slot, err := servers.Slot(ctx, r.Servers[0], key)
	if err != nil {
		t.Fatal(err)
	}
	if from, err = r.Owner(ctx, slot); err != nil {
		t.Fatal(err)
	}
	for _, to = range r.Masters(ctx) {
		if to != from {
			return slot, from, to
		}
	}
	t.Fatal("there is no other master")
	return
}

// A server that is silent may have carried a script out, or will: to send it again would count it twice.
func TestRun_neverSendsAScriptTwice_byItself(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(servers.Options) (*servers.Redis, error){"single": servers.Single, "sentinel": servers.Sentinel, "cluster": servers.Cluster} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := redistest.Begin(t, start, servers.Options{Settings: []string{"--cluster-node-timeout", "30000"}})
			l := open(t, lanes.Options{URL: r.URL, Timeout: 300 * time.Millisecond})
			ctx, keys := context.Background(), []string{"helix:{0}k"}
			if _, err := l.Run(ctx, count, keys); err != nil {
				t.Fatal(err)
			}
			at := r.Servers[0]
			if name == "cluster" {
				_, at, _ = owner(t, r, keys[0])
			}
			at.Pause()
			_, err := l.Run(ctx, count, keys)
			at.Resume()
			if err == nil {
				t.Fatal("a silent server answered")
			}
			var n any
			sent := 2
			for deadline := time.Now().Add(patience); ; {
				sent++
				if n, err = l.Run(ctx, count, keys); err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal(err)
				}
			}
			if n.(int64) > int64(sent) {
				t.Fatalf("counted %d times, sent %d times", n, sent)
			}
		})
	}
}

// One of several calls that leave together cannot be carried out just then; the others were.
func TestRun_sendsAloneAgain_whatWasRefusedForNow(t *testing.T) {
	t.Parallel()
	refused := lanes.NewScript("refused", `if redis.call('INCR', KEYS[1]) < 4 then return redis.error_reply('TRYAGAIN as when a slot moves') end return 'ok'`)
	redistest.EachMode(t, func(t *testing.T, url string) {
		o := redistest.InspectorOptions(url) // the scripts do what an edge's user may not
		o.Timeout = patience
		l, err := lanes.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		ctx, key := context.Background(), fmt.Sprint("helix:{0}", time.Now().UnixNano())
		const rounds, each = 20, 3
		answers := make(chan error, rounds*(1+each))
		done := func(_ any, err error) { answers <- err }
		for i := range rounds { // they leave together, more or less
			l.Start(refused, []string{fmt.Sprint(key, " refused ", i)}, nil, done)
			for range each {
				l.Start(count, []string{key}, nil, done)
			}
		}
		for range cap(answers) {
			if err := <-answers; err != nil {
				t.Fatal(err)
			}
		}
		if n, err := l.Run(ctx, count, []string{key}); err != nil || n != int64(1+rounds*each) {
			t.Errorf("counted %v times, sent %d times: %v", n, 1+rounds*each, err)
		}
	})
}

func TestRun_aSilentServer_keepsNobodyFromTheOthers(t *testing.T) {
	t.Parallel()
	r := redistest.Begin(t, servers.Cluster, servers.Options{Settings: []string{"--cluster-node-timeout", "30000"}})
	const timeout = 4 * time.Second
	l := open(t, lanes.Options{URL: r.URL, Timeout: timeout})
	ctx, silent := context.Background(), "helix:{0}k"
	_, at, _ := owner(t, r, silent)
	var others []string
	for i := 1; len(others) < 4; i++ {
		key := fmt.Sprintf("helix:{%d}k", i)
		if _, o, _ := owner(t, r, key); o != at {
			others = append(others, key)
		}
	}
	for _, key := range append(others, silent) {
		if _, err := l.Run(ctx, count, []string{key}); err != nil {
			t.Fatal(err)
		}
	}
	at.Pause()
	defer at.Resume()
	stuck := make(chan error, 20)
	for range cap(stuck) {
		l.Start(count, []string{silent}, nil, func(_ any, err error) { stuck <- err })
	}
	began := time.Now()
	for _, key := range others {
		if _, err := l.Run(ctx, count, []string{key}); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(began); took > timeout/2 {
		t.Errorf("the others took %v", took)
	}
	if err := l.Ping(ctx); err != nil {
		t.Errorf("with two of three masters: %v", err)
	}
	for range cap(stuck) {
		if err := <-stuck; err == nil {
			t.Error("a silent server answered")
		}
	}
}

// While a slot's keys are on their way, Redis carries out no script on several of them.
func TestRun_waitsForASlotThatMoves(t *testing.T) {
	t.Parallel()
	r := redistest.Begin(t, servers.Cluster, servers.Options{})
	l := open(t, lanes.Options{URL: r.URL, Timeout: patience})
	ctx, keys := context.Background(), []string{"helix:{0}a", "helix:{0}b"}
	if _, err := l.Run(ctx, both, keys); err != nil {
		t.Fatal(err)
	}
	slot, from, to := owner(t, r, keys[0])
	answered := make(chan error, 1)
	asked := false
	between := func() { // all keys of the slot are at their new place, which is not told yet
		if asked {
			return
		}
		asked = true
		l.Start(both, append(keys, "helix:{0}missing"), nil, func(_ any, err error) { answered <- err })
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
			if info, err := to.Admin().Info(ctx, "errorstats").Result(); err != nil || strings.Contains(info, "TRYAGAIN") {
				return
			}
		}
		t.Error("nobody was told to try again")
	}
	if err := r.Move(ctx, slot, to, between); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if n, err := l.Run(ctx, both, keys); err != nil || n != int64(6) {
		t.Fatalf("%v, %v: want both counted three times", n, err)
	}
	if n, err := from.Admin().ClusterCountKeysInSlot(ctx, slot).Result(); err != nil || n != 0 {
		t.Fatalf("%d keys are left where they were, %v", n, err)
	}
}

// A change that was taken before a failover is there behind it, subscriptions follow, and so do calls.
func TestFailover_callsAndSubscriptionsFollow(t *testing.T) {
	t.Parallel()
	lose := map[string]func(*servers.Server){"killed": (*servers.Server).Kill, "paused": (*servers.Server).Pause}
	for mode, start := range map[string]func(servers.Options) (*servers.Redis, error){"sentinel": servers.Sentinel, "cluster": servers.Cluster} {
		for how, lost := range lose {
			t.Run(mode+" "+how, func(t *testing.T) {
				t.Parallel()
				r := redistest.Begin(t, start, servers.Options{Replicas: 1})
				l := open(t, lanes.Options{URL: r.URL, Timeout: time.Second})
				ctx, channel := context.Background(), channels(l, 1)[0]
				e := newEar()
				subscribe(t, l, channel, e)
				publish(t, l, channel, "before")
				if n, err := l.Run(ctx, count, []string{channel + ":n"}); err != nil || n != int64(1) {
					t.Fatal(n, err)
				}
				at := r.Servers[0]
				if mode == "cluster" {
					_, at, _ = owner(t, r, channel)
				}
				conn := at.Admin().Conn() // WAIT is about what its own connection wrote
				_, err := conn.Do(ctx, "INCR", channel+":waited").Result()
				if err != nil {
					t.Fatal(err)
				}
				if n, err := conn.Do(ctx, "WAIT", 1, 5000).Int(); err != nil || n < 1 {
					t.Fatalf("%d replicas have it, %v", n, err)
				}
				_ = conn.Close()
				lost(at)
				defer at.Resume()
				began := time.Now()
				var n any
				for {
					if n, err = l.Run(ctx, count, []string{channel + ":n"}); err == nil || time.Since(began) > patience {
						break
					}
				}
				if err != nil || n.(int64) < 2 {
					t.Fatalf("%v, %v", n, err)
				}
				t.Logf("calls go on after %v", time.Since(began))
				e.await(t, "the word that it listens again", func(_ []string, again int) bool { return again > 0 })
				publish(t, l, channel, "after")
				e.await(t, "a message after it", func(heard []string, _ int) bool { return heard[len(heard)-1] == "after" })
				t.Logf("and what is published is heard after %v", time.Since(began))
			})
		}
	}
}

func TestOpen_believesWhoHasACertificate(t *testing.T) {
	t.Parallel()
	r := redistest.Begin(t, servers.Single, servers.Options{TLS: true, Mutual: true, Names: []string{"redis.example"}})
	other, err := servers.NewCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(r.Servers[0].Addr, ":")
	c := r.Certificates
	whole := lanes.TLS{CAFile: c.CAFile, CertFile: c.ClientCert, KeyFile: c.ClientKey}
	with := func(change func(*lanes.TLS)) lanes.TLS { o := whole; change(&o); return o }
	for name, test := range map[string]struct {
		url  string
		tls  lanes.TLS
		want string // in the error; empty: it connects
	}{
		"its address":                       {"rediss://127.0.0.1:" + port, whole, ""},
		"its name":                          {"rediss://localhost:" + port, whole, ""},
		"a name that is set":                {"rediss://127.0.0.1:" + port, with(func(o *lanes.TLS) { o.ServerName = "redis.example" }), ""},
		"another name":                      {"rediss://127.0.0.1:" + port, with(func(o *lanes.TLS) { o.ServerName = "other.example" }), "not other.example"},
		"an authority that is not known":    {"rediss://127.0.0.1:" + port, with(func(o *lanes.TLS) { o.CAFile = "" }), "unknown authority"},
		"another authority":                 {"rediss://127.0.0.1:" + port, with(func(o *lanes.TLS) { o.CAFile = other.CAFile }), "unknown authority"},
		"the same, and nobody checks":       {"rediss://127.0.0.1:" + port + "?skip_verify=true", with(func(o *lanes.TLS) { o.CAFile = other.CAFile }), ""},
		"a client without a certificate":    {"rediss://127.0.0.1:" + port, with(func(o *lanes.TLS) { o.CertFile, o.KeyFile = "", "" }), "ping Redis"},
		"a client that another one made":    {"rediss://127.0.0.1:" + port, with(func(o *lanes.TLS) { o.CertFile, o.KeyFile = other.ClientCert, other.ClientKey }), "ping Redis"},
		"a server that speaks in the clear": {"redis://127.0.0.1:" + port, lanes.TLS{}, "ping Redis"},
	} {
		l, err := lanes.Open(lanes.Options{URL: test.url, TLS: test.tls, Timeout: 2 * time.Second})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err = l.Ping(context.Background())
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		_ = l.Close()
	}
	for name, o := range map[string]lanes.Options{
		"settings for TLS, a URL without": {URL: "redis://127.0.0.1", TLS: whole},
		"no such file":                    {URL: "rediss://127.0.0.1", TLS: lanes.TLS{CAFile: "no-such-file"}},
		"a password twice":                {URL: "redis://:geheim@127.0.0.1", Credentials: lanes.Credentials{Password: "geheim"}},
		"no password file":                {URL: "redis://127.0.0.1", Credentials: lanes.Credentials{PasswordFile: "no-such-file"}},
	} {
		if l, err := lanes.Open(o); err == nil || errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "geheim") {
			_ = l.Close()
			t.Errorf("%s: %v", name, err)
		}
	}
}
