package phoenix_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"helix/shared/phoenix"
)

type vector struct {
	Name   string
	Vsn    phoenix.Version
	Frame  string
	Fields map[string]string
	Error  bool
	Encode bool
}

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Vectors
}

func TestDecode_vectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		m, err := v.Vsn.Decode([]byte(v.Frame), false)
		if v.Error {
			if !errors.Is(err, phoenix.ErrFrame) {
				t.Errorf("%s: got %+v, %v", v.Name, m, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		got := map[string]string{"join_ref": string(m.JoinRef), "ref": string(m.Ref), "topic": string(m.Topic), "event": string(m.Event), "payload": string(m.Payload)}
		for field, want := range v.Fields {
			if got[field] != want {
				t.Errorf("%s: %s is %s, want %s", v.Name, field, got[field], want)
			}
		}
		if v.Encode {
			event, _ := m.EventString()
			if back := v.Vsn.AppendMessage(nil, m.JoinRef, m.Ref, m.Topic, event, m.Payload); string(back) != v.Frame {
				t.Errorf("%s: encodes to %s", v.Name, back)
			}
		}
	}
}

func TestDecode_refusesWhatIsNoUTF8(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{"[null,\"1\",\"t\xff\",\"e\",{}]", "[null,\"1\",\"t\",\"e\",\"\xed\xa0\x80\"]"} {
		if _, err := phoenix.V2.Decode([]byte(frame), false); !errors.Is(err, phoenix.ErrFrame) {
			t.Errorf("%q: %v", frame, err)
		}
	}
}

func TestDecode_boundsNesting(t *testing.T) {
	t.Parallel()
	frame := func(levels int) []byte {
		return []byte(`["1","1","t","e",` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + `]`)
	}
	if _, err := phoenix.V2.Decode(frame(phoenix.MaxDepth-1), false); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	for _, levels := range []int{phoenix.MaxDepth, 300_000} {
		if _, err := phoenix.V2.Decode(frame(levels), false); !errors.Is(err, phoenix.ErrFrame) {
			t.Errorf("%d levels: %v", levels, err)
		}
	}
}

func TestDecode_binaryPush(t *testing.T) {
	t.Parallel()
	good := bytes.Join([][]byte{
		{0},          // kind: push
		{1, 2, 6, 4}, // lengths of join_ref, ref, topic, event
		[]byte("3"),  // join_ref
		[]byte("12"), // ref
		[]byte("flow:f"),
		[]byte("ping"),
		{0xff, 0x00, 0x01}, // payload: any bytes
	}, nil)
	m, err := phoenix.V2.Decode(good, true)
	if err != nil || string(m.JoinRef) != `"3"` || string(m.Ref) != `"12"` || string(m.Topic) != `"flow:f"` || !m.EventIs("ping") || !m.Binary || !bytes.Equal(m.Payload, []byte{0xff, 0, 1}) {
		t.Fatalf("%+v, %v", m, err)
	}
	bad := map[string][]byte{
		"empty":               {},
		"only a kind":         {0},
		"a reply's kind":      {1, 0, 0, 0, 0},
		"a broadcast's kind":  {2, 0, 0, 0},
		"a text cut short":    {0, 0, 0, 0, 5, 'p', 'i'},
		"a topic not UTF-8":   {0, 0, 0, 1, 0, 0xff},
		"lengths without end": {0, 255, 255, 255, 255},
	}
	for name, frame := range bad {
		if _, err := phoenix.V2.Decode(frame, true); !errors.Is(err, phoenix.ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := phoenix.V1.Decode(good, true); !errors.Is(err, phoenix.ErrFrame) {
		t.Errorf("under 1.0.0: %v", err)
	}
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	served := map[string]phoenix.Version{"1.0.0": phoenix.V1, "1.0.12": phoenix.V1, "2.0.0": phoenix.V2, "2.0.3": phoenix.V2}
	for vsn, want := range served {
		if got, err := phoenix.ParseVersion(vsn, true); got != want || err != nil {
			t.Errorf("%q: %v, %v", vsn, got, err)
		}
	}
	for _, vsn := range []string{"", "2", "1.0", "1.0.", "2.0.x", "1.5.0", "2.1.0", "3.0.0", "abc", "12.0.0", "2.0.0 "} {
		if _, err := phoenix.ParseVersion(vsn, true); !errors.Is(err, phoenix.ErrVersion) {
			t.Errorf("%q: %v", vsn, err)
		}
	}
	if got, err := phoenix.ParseVersion("", false); got != phoenix.V1 || err != nil {
		t.Errorf("missing: %v, %v", got, err)
	}
}

func TestAppendReply(t *testing.T) {
	t.Parallel()
	joinRef, ref, topic, response := []byte(`"3"`), []byte(`6`), []byte(`"flow:f"`), []byte(`{"status":"pong"}`)
	cases := []struct {
		version phoenix.Version
		ok      bool
		want    string
	}{
		{phoenix.V2, true, `["3",6,"flow:f","phx_reply",{"response":{"status":"pong"},"status":"ok"}]`},
		{phoenix.V2, false, `["3",6,"flow:f","phx_reply",{"response":{"status":"pong"},"status":"error"}]`},
		{phoenix.V1, true, `{"event":"phx_reply","payload":{"response":{"status":"pong"},"status":"ok"},"ref":6,"topic":"flow:f"}`},
	}
	for _, c := range cases {
		if got := string(c.version.AppendReply([]byte("+"), joinRef, ref, topic, c.ok, response)); got != "+"+c.want {
			t.Errorf("got  %s\nwant +%s", got, c.want)
		}
	}
}

func TestField(t *testing.T) {
	t.Parallel()
	cases := []struct{ object, key, want string }{
		{`{"a":1}`, "a", "1"}, {` { "b" : [ 1 ] , "a" : { "x" : 1 } } `, "a", `{ "x" : 1 }`},
		{`{"a":1,"a":2}`, "a", "1"}, {`{"\u0061":3}`, "a", "3"}, {`{"b":{"a":1}}`, "a", ""},
		{`{}`, "a", ""}, {`[]`, "a", ""}, {`null`, "a", ""}, {`"a"`, "a", ""}, {`7`, "a", ""}, {`{"aa":1}`, "a", ""},
	}
	for _, c := range cases {
		got, ok := phoenix.Field([]byte(c.object), c.key)
		if string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%s of %s: %q, %v", c.key, c.object, got, ok)
		}
	}
}

func TestQuoteAndStringValue_areEachOthersInverse(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `"\/`, "a\x00\x1f\n\r\t\b", "ü漢🙂", "\u2028<>&"} {
		quoted := phoenix.AppendQuote(nil, s)
		if got, ok := phoenix.StringValue(quoted); !ok || got != s {
			t.Errorf("%q: %s gives %q, %v", s, quoted, got, ok)
		}
		var std string
		if err := json.Unmarshal(quoted, &std); err != nil || std != s {
			t.Errorf("%q: the standard library reads %q, %v", s, std, err)
		}
	}
	if got := string(phoenix.AppendQuote(nil, "a\xffb")); got != `"a�b"` {
		t.Errorf("bytes that are no UTF-8: %s", got)
	}
	for _, raw := range []string{"null", "7", "{}", "", `"`} {
		if _, ok := phoenix.StringValue([]byte(raw)); ok {
			t.Errorf("%s is no string", raw)
		}
	}
}

func TestDecode_allocatesNothing(t *testing.T) {
	frame := []byte(`["3","7","flow:f","flow_change",{"changes":{"nodes":{"n1":{"position":{"x":1,"y":2}}}}}]`)
	if n := testing.AllocsPerRun(100, func() {
		m, err := phoenix.V2.Decode(frame, false)
		if err != nil || !m.EventIs("flow_change") {
			t.Fatal(err)
		}
		if _, ok := phoenix.Field(m.Payload, "changes"); !ok {
			t.Fatal("no changes")
		}
	}); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

func fuzzDecode(f *testing.F, version phoenix.Version) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := version.Decode(frame, false)
		if err != nil {
			return
		}
		if !json.Valid(frame) {
			t.Fatalf("accepted what is no JSON: %q", frame)
		}
		for _, raw := range [][]byte{m.JoinRef, m.Ref, m.Topic, m.Event, m.Payload} {
			if !json.Valid(raw) {
				t.Fatalf("%q has a field %q", frame, raw)
			}
		}
		if event, ok := m.EventString(); ok && strings.IndexFunc(event, func(r rune) bool { return r < 0x20 || r == '"' || r == '\\' || r == '\uFFFD' }) < 0 {
			again, err := version.Decode(version.AppendMessage(nil, m.JoinRef, m.Ref, m.Topic, event, m.Payload), false)
			if err != nil || !bytes.Equal(again.Ref, m.Ref) || !bytes.Equal(again.Topic, m.Topic) || !bytes.Equal(again.Payload, m.Payload) || !again.EventIs(event) {
				t.Fatalf("%q encodes to something else: %+v, %v", frame, again, err)
			}
		}
	})
}

func FuzzDecodeV1(f *testing.F) { fuzzDecode(f, phoenix.V1) }
func FuzzDecodeV2(f *testing.F) { fuzzDecode(f, phoenix.V2) }

// Whatever the standard library calls JSON a frame may hold, down to the bound of nesting; and
// nothing else.
func FuzzPayload_isJSONAsTheStandardLibrarySees(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Frame))
	}
	f.Add([]byte(`-0.0e+10`))
	f.Add([]byte(`"\ud800"`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if bytes.Count(payload, []byte("["))+bytes.Count(payload, []byte("{")) >= phoenix.MaxDepth {
			return
		}
		frame := fmt.Appendf(nil, `[null,null,"t","e",%s]`, payload)
		_, err := phoenix.V2.Decode(frame, false)
		var elements []json.RawMessage
		want := json.Unmarshal(frame, &elements) == nil && bytes.Equal(bytes.ToValidUTF8(frame, nil), frame)
		if (err == nil) != want {
			t.Fatalf("%q: decoded %v, want %v", payload, err == nil, want)
		}
	})
}

func FuzzField(f *testing.F) {
	f.Add([]byte(`{"changes":{"a":1},"x":"y"}`), "changes")
	f.Add([]byte(`{"\u0063hanges":[1,{"changes":2}]}`), "changes")
	f.Fuzz(func(t *testing.T, object []byte, key string) {
		if !json.Valid(object) {
			return
		}
		got, ok := phoenix.Field(object, key)
		var members map[string]json.RawMessage
		err := json.Unmarshal(object, &members)
		_, has := members[key]
		if ok && (err != nil || !json.Valid(got)) {
			t.Fatalf("%q has no %q, got %q", object, key, got)
		}
		if has && !ok && !strings.ContainsRune(key, '\uFFFD') {
			t.Fatalf("%q has %q, not found", object, key)
		}
	})
}

func FuzzDecodeBinary(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x06\x04312flow:fping\xff"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := phoenix.V2.Decode(frame, true)
		if err != nil {
			return
		}
		for _, raw := range [][]byte{m.JoinRef, m.Ref, m.Topic, m.Event} {
			if !json.Valid(raw) {
				t.Fatalf("%q has a field %q", frame, raw)
			}
		}
	})
}

// benchChanges is a usual change: a node was dragged and renamed.
const benchChanges = `{"nodes":{"node-1734":{"position":{"x":1042.5,"y":-310.25},"data":{"label":"Classify the ticket","model":"small","temperature":0.2}}},"viewport":{"x":0,"y":0,"zoom":1},"edges":{"e-17":null}}`

func BenchmarkDecode_FlowChangeFrame(b *testing.B) {
	frame := []byte(`["3","1041","flow:support-triage","flow_change",{"changes":` + benchChanges + `}]`)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := phoenix.V2.Decode(frame, false)
		if err != nil || !m.EventIs("flow_change") {
			b.Fatal(err)
		}
		if _, ok := phoenix.Field(m.Payload, "changes"); !ok {
			b.Fatal("no changes")
		}
	}
}

func BenchmarkEncode_FlowUpdate(b *testing.B) {
	topic, payload := []byte(`"flow:support-triage"`), []byte(`{"changes":`+benchChanges+`,"timestamp":1795451792,"seq":1041,"epoch":"TNVCPZYPDQHL","client_id":"IOFJBSXZ6DYZ3EIL"}`)
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = phoenix.V2.AppendMessage(dst[:0], phoenix.Null, phoenix.Null, topic, "flow_update", payload)
	}
}

func ExampleVersion_Decode() {
	m, err := phoenix.V2.Decode([]byte(`["1","2","room:lobby","shout",{"text":"hello"}]`), false)
	if err != nil {
		panic(err)
	}
	text, _ := phoenix.Field(m.Payload, "text")
	fmt.Printf("%s %s %s\n", m.Topic, m.Event, text)
	fmt.Printf("%s\n", phoenix.V2.AppendReply(nil, m.JoinRef, m.Ref, m.Topic, true, phoenix.EmptyObject))
	// Output:
	// "room:lobby" "shout" "hello"
	// ["1","2","room:lobby","phx_reply",{"response":{},"status":"ok"}]
}
