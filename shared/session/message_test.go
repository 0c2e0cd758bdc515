package session_test

import (
	"errors"
	"testing"
	"time"

	"helix/shared/session"
)

func published(epoch, first, ms string, changes ...[2]string) string {
	var b session.Body
	b.Start("node.1", 42)
	for i, c := range changes {
		b.Add(uint64(i+1), session.Change{ClientID: c[0], ID: uint64(i), Changes: c[1]})
	}
	return "u " + epoch + " " + first + " " + ms + " 4711 1700000000001 " + string(b.Bytes())
}

func TestParseMessage_update(t *testing.T) {
	t.Parallel()
	m, err := session.ParseMessage(published("E", "18446744073709551615", "1700000000123", [2]string{"ann", `{"a":"\n"}`}, [2]string{"", "{}"}))
	if err != nil || m.Update == nil {
		t.Fatalf("%+v, %v", m, err)
	}
	u := m.Update
	if u.Epoch != "E" || u.First != 1<<64-1 || u.At != time.UnixMilli(1700000000123) || u.Bytes != 4711 || u.Node != "node.1" || u.Run != 42 || len(u.Changes) != 2 ||
		u.Changes[0] != (session.Change{Member: 1, ClientID: "ann", Changes: `{"a":"\n"}`}) || u.Changes[1] != (session.Change{Member: 2, ID: 1, Changes: "{}"}) {
		t.Fatalf("%+v", u)
	}
}

// A run says what its trace goes on from, wherever in its making that became known.
func TestParseMessage_updateThatIsFollowed(t *testing.T) {
	t.Parallel()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	plain, before, after := &session.Body{}, &session.Body{}, &session.Body{}
	for _, b := range []*session.Body{plain, before, after} {
		b.Start("node.1", 42)
		if b == before {
			b.Trace(parent)
		}
		b.Add(1, session.Change{ClientID: "ann", ID: 7, Changes: `{"a":1}`})
		b.Add(2, session.Change{ClientID: "bob", ID: 8, Changes: "{}"})
		b.Trace("")
	}
	after.Trace(parent)
	if string(before.Bytes()) != string(after.Bytes()) {
		t.Fatalf("%q, %q", before.Bytes(), after.Bytes())
	}
	for b, want := range map[*session.Body]string{plain: "", after: parent} {
		m, err := session.ParseMessage("u E 1 2 3 4 " + string(b.Bytes()))
		if err != nil || m.Update.Trace != want || m.Update.Run != 42 || len(m.Update.Changes) != 2 || m.Update.Changes[1].Changes != "{}" {
			t.Errorf("%+v, %v", m.Update, err)
		}
	}
}

func TestParseMessage_others(t *testing.T) {
	t.Parallel()
	if m, err := session.ParseMessage("c E 3 7 120 01"); err != nil || *m.Count != (session.Count{Epoch: "E", Number: 3, Version: 7, Total: 120, Left: true}) {
		t.Errorf("%+v, %v", m.Count, err)
	}
	if m, err := session.ParseMessage("x E 3 1700000000123 idle"); err != nil || *m.End != (session.End{Epoch: "E", Number: 3, At: time.UnixMilli(1700000000123), Idle: true}) {
		t.Errorf("%+v, %v", m.End, err)
	}
	if m, err := session.ParseMessage("v"); err != nil || !m.Vacant {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := session.ParseMessage("r E2"); err != nil || m.Restored != "E2" {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := session.ParseMessage("z of a version to come"); err != nil || m != (session.Message{}) {
		t.Errorf("an unknown kind: %+v, %v", m, err)
	}
	for _, bad := range []string{"u ", "u E 1 2 3 4 n x\n", "u E 1 2 3 4 n 1\n", "u E 1 2 3 4 n 1\n\x01\x00\xff\xff\xff\xff\x0f", "u E -1 2 3 4 n 1\n\x01\x00\x00\x00", "u E 1 2 x 4 n 1\n\x01\x00\x00\x00", "u E 1 2 3 x n 1\n\x01\x00\x00\x00", "r ", "c E 3 7 120", "c E 3 7 120 1", "c E x 7 120 11", "x E 3 7 sleepy",
		"p 1 2 ", "p 1 2 n", "p 1 x n\n", "p 1 2 n\n\x01\x05a", "g 1 2 ", "g 1 x n", "s ", "s n", "s n\n\x01\x01a\x01"} {
		if m, err := session.ParseMessage(bad); !errors.Is(err, session.ErrMessage) {
			t.Errorf("%q: %+v, %v", bad, m, err)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add(published("E", "1", "1700000000123", [2]string{"ann", `{"a":1}`}))
	f.Add("u E 1 2 3 4 node 5 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n\x01\x00\x00\x02{}")
	f.Add("c E 3 7 120 01")
	f.Add("x E 3 1700000000123 deleted")
	f.Add("v")
	f.Add("p 0 1700000000123 node\n\x07\x03ann\x02{}\x08\x03bob\x00")
	f.Add("g 1700000000123 1700000000124 node.1 node.2")
	f.Add("s node\n\x07\x03ann\x06cursor\x04null")
	f.Fuzz(func(t *testing.T, payload string) {
		m, err := session.ParseMessage(payload)
		if err == nil && m.Update != nil && len(m.Update.Changes) == 0 {
			t.Fatalf("%q is an update of nothing", payload)
		}
	})
}

func BenchmarkParseMessage_OneChange(b *testing.B) {
	payload := published("TNVCPZYPDQHL", "1041", "1700000000123", [2]string{"IOFJBSXZ6DYZ3EIL", `{"nodes":{"n1":{"position":{"x":1,"y":2}}}}`})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := session.ParseMessage(payload); err != nil {
			b.Fatal(err)
		}
	}
}
