package session_test

import (
	"reflect"
	"testing"

	"helix/shared/redistest"
	"helix/shared/session"
)

type presented struct {
	before, version uint64
	known           bool
}

func told(t testing.TB, f *session.Flow, clients ...session.Shown) presented {
	t.Helper()
	out := make(chan presented, 1)
	f.Present(clients, func(before, version uint64, known bool, err error) {
		if err != nil {
			t.Errorf("present: %v", err)
		}
		out <- presented{before, version, known}
	})
	return <-out
}

// shown reads what all clients tell, by client.
func shown(t testing.TB, f *session.Flow) (all map[string]string, version uint64) {
	t.Helper()
	done := make(chan struct{})
	all = map[string]string{}
	f.Presences(func(list []session.Shown, v uint64, err error) {
		if err != nil {
			t.Errorf("read the presence: %v", err)
		}
		for _, s := range list {
			all[s.ClientID] = s.Meta
		}
		version = v
		close(done)
	})
	<-done
	return all, version
}

func TestPresence_hasAVersion_andIsTold(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		a := session.NewStore(l, "a", patient).Flow("f")
		b := session.NewStore(l, "b", patient).Flow("f")
		ann := session.Shown{Member: 1, ClientID: "ann with a space", Meta: `{"name":"Ann\n"}`}
		if got := told(t, a, ann); got.known {
			t.Fatalf("a node without clients told something: %+v", got)
		}
		if all, version := shown(t, a); len(all) != 0 || version != 0 {
			t.Fatalf("%v, %d", all, version)
		}
		join(t, a, 0, 1)
		join(t, b, 0, 1)
		messages := listen(t, b)
		first := told(t, a, ann)
		if first.before != 0 || first.version == 0 || !first.known {
			t.Fatalf("%+v", first)
		}
		m := <-messages
		ann.Node, ann.Version = m.Presence.Shown[0].Node, first.version
		if want := (&session.Presence{Before: 0, Version: first.version, Shown: []session.Shown{ann}}); !reflect.DeepEqual(m.Presence, want) {
			t.Fatalf("told %+v, want %+v", m.Presence, want)
		}
		second := told(t, b, session.Shown{Member: 1, ClientID: "bob", Meta: `{}`}, session.Shown{Member: 2, ClientID: "eve", Meta: `{}`})
		if second.before != first.version || second.version <= first.version {
			t.Fatalf("%+v behind %+v", second, first)
		}
		third := told(t, b, session.Shown{Member: 2, ClientID: "eve"})
		all, version := shown(t, a)
		if want := map[string]string{"ann with a space": ann.Meta, "bob": "{}"}; !reflect.DeepEqual(all, want) || version != third.version {
			t.Fatalf("%v at %d, want %v at %d", all, version, want, third.version)
		}
		if got := mustRegister(t, a, session.Registration{Wanted: 1, Before: 1}); got.Presence != version {
			t.Fatalf("a registration tells version %d, not %d", got.Presence, version)
		}
		<-messages
		<-messages
		mustRegister(t, a, session.Registration{Before: 1, Left: 1}) // the node's last client left, and with it what it told
		for m := range messages {
			if m.Presence == nil {
				continue
			}
			if m.Presence.Before != version || !reflect.DeepEqual(m.Presence.Gone, []string{ann.Node}) {
				t.Fatalf("told %+v", m.Presence)
			}
			break
		}
		if all, _ := shown(t, b); !reflect.DeepEqual(all, map[string]string{"bob": "{}"}) {
			t.Fatalf("%v", all)
		}
	})
}

func TestPresence_ofAnEarlierSessionIsVoid(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		join(t, f, 0, 1)
		told(t, f, session.Shown{Member: 1, ClientID: "ann", Meta: `{}`})
		if _, err := f.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all, version := shown(t, f); len(all) != 0 || version != 0 {
			t.Fatalf("%v, %d", all, version)
		}
		join(t, f, 0, 1)
		if got := told(t, f, session.Shown{Member: 2, ClientID: "bob", Meta: `{}`}); got.before != 0 {
			t.Fatalf("%+v", got)
		}
		if all, _ := shown(t, f); !reflect.DeepEqual(all, map[string]string{"bob": "{}"}) {
			t.Fatalf("%v", all)
		}
	})
}

func TestSignal_isPassedOn(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		store := session.NewStore(l, "a", patient)
		messages := listen(t, session.NewStore(l, "b", patient).Flow("f"))
		sent := []session.Signal{{Member: 7, ClientID: "ann", Type: "cursor", Data: `{"x":1}`}, {Member: 300, ClientID: "bob", Type: "t y p e", Data: "null"}}
		done := make(chan error, 1)
		store.Flow("f").Signal(sent, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if m := <-messages; m.Signals == nil || m.Signals.Node != store.Node() || !reflect.DeepEqual(m.Signals.Signals, sent) {
			t.Fatalf("told %+v", m.Signals)
		}
	})
}
