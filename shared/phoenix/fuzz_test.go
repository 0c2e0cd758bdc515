package phoenix_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"helix/shared/phoenix"
)

// The oracle of all targets is the standard library, which has nothing in common with this package.

// levels is how deep valid JSON nests.
func levels(value []byte) (deepest int) {
	depth, inString := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}

// firstMembers reads an object's members, of doubled keys the first; ok is false for other values.
func firstMembers(t *testing.T, object []byte) (members map[string]string, ok bool) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(object))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	members = map[string]string{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatalf("the oracle cannot read a key of %q: %v", object, err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatalf("the oracle cannot read a value of %q: %v", object, err)
		}
		if _, doubled := members[key.(string)]; !doubled {
			members[key.(string)] = string(value)
		}
	}
	return members, true
}

// wantV1 and wantV2 are what a frame must split into; ok is false where it must be refused.
func wantV1(t *testing.T, frame []byte) (want fields, ok bool) {
	members, ok := firstMembers(t, frame)
	if !ok {
		return fields{}, false
	}
	for _, key := range []string{"topic", "event", "payload", "ref"} {
		if _, has := members[key]; !has {
			return fields{}, false
		}
	}
	want = fields{"null", members["ref"], members["topic"], members["event"], members["payload"]}
	if joinRef, has := members["join_ref"]; has {
		want.JoinRef = joinRef
	}
	return want, true
}

func wantV2(_ *testing.T, frame []byte) (want fields, ok bool) {
	var elements []json.RawMessage
	if err := json.Unmarshal(frame, &elements); err != nil || len(elements) < 5 {
		return fields{}, false
	}
	at := func(n int) string { return string(elements[n]) }
	return fields{at(0), at(1), at(2), at(3), at(4)}, true
}

func fuzzDecode(f *testing.F, version phoenix.Version, reference func(*testing.T, []byte) (fields, bool)) {
	for _, v := range textVectors(f) {
		f.Add([]byte(v.Frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var want fields
		ok := json.Valid(frame) && utf8.Valid(frame) && levels(frame) <= phoenix.MaxDepth
		if ok {
			want, ok = reference(t, frame)
		}
		m, err := version.Decode(frame, false)
		if (err == nil) != ok {
			t.Fatalf("%q: %v, must decode: %v", frame, err, ok)
		}
		if !ok {
			return
		}
		got := fieldsOf(m)
		if got != want {
			t.Fatalf("%q\ngot  %+v\nwant %+v", frame, got, want)
		}
		event := ""
		if e, isString := m.EventString(); isString {
			var std string
			if err := json.Unmarshal(m.Event, &std); err != nil || std != e || !m.EventIs(std) {
				t.Fatalf("%s reads as %q, want %q, %v", m.Event, e, std, err)
			}
			if string(m.Event) == `"`+e+`"` { // an encoder's event needs no escapes
				event = e
			}
		}
		encoded := version.AppendMessage(nil, m.JoinRef, m.Ref, m.Topic, event, m.Payload)
		again, err := version.Decode(encoded, false)
		if err != nil {
			t.Fatalf("%q encodes to %q: %v", frame, encoded, err)
		}
		want.Event = `"` + event + `"`
		if version == phoenix.V1 {
			want.JoinRef = "null"
		}
		if fieldsOf(again) != want {
			t.Fatalf("%q encodes to %q\ngot  %+v\nwant %+v", frame, encoded, fieldsOf(again), want)
		}
	})
}

func FuzzDecodeV1(f *testing.F) { fuzzDecode(f, phoenix.V1, wantV1) }
func FuzzDecodeV2(f *testing.F) { fuzzDecode(f, phoenix.V2, wantV2) }

// Mutations of a whole frame seldom stay one; here only the payload is the fuzzer's.
func FuzzDecode_payloadIsWhatTheStandardLibraryCallsJSON(f *testing.F) {
	for _, v := range textVectors(f) {
		f.Add([]byte(v.Frame))
		if v.Fields != nil {
			f.Add([]byte(v.Fields.Payload))
		}
	}
	for _, seed := range []string{`-0.0e+10`, `"\ud800"`, `[{"a":[]},{}]`, `{"a":{"b":[1,{"c":null}]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		frame := append(append([]byte(`[null,null,"t","e",[`), payload...), "]]"...)
		want := json.Valid(frame) && utf8.Valid(frame) && levels(frame) <= phoenix.MaxDepth
		if m, err := phoenix.V2.Decode(frame, false); (err == nil) != want {
			t.Fatalf("%q: %+v, %v, must decode: %v", frame, fieldsOf(m), err, want)
		}
	})
}

func FuzzField(f *testing.F) {
	f.Add([]byte(`{"changes":{"a":1},"x":"y"}`), "changes")
	f.Add([]byte(`{"\u0063hanges":[1,{"changes":2}]}`), "changes")
	f.Add([]byte(`{"\\":1,"\ud83d\ude42":2}`), `\\`)
	for _, v := range textVectors(f) {
		if v.Fields != nil {
			f.Add([]byte(v.Fields.Payload), "response")
		}
		f.Add([]byte(v.Frame), "topic")
	}
	f.Fuzz(func(t *testing.T, object []byte, key string) {
		got, ok := phoenix.Field(object, key) // whatever it is: no panic
		if !json.Valid(object) || !utf8.Valid(object) || levels(object) > phoenix.MaxDepth {
			return
		}
		members, _ := firstMembers(t, object)
		want, has := members[key]
		if ok != has || string(got) != want {
			t.Fatalf("%q of %q: %q, %v, want %q, %v", key, object, got, ok, want, has)
		}
		for name, want := range members {
			if got, ok := phoenix.Field(object, name); !ok || string(got) != want {
				t.Fatalf("%q of %q: %q, %v, want %q", name, object, got, ok, want)
			}
		}
	})
}

func FuzzStringValue(f *testing.F) {
	for _, seed := range []string{`"\ud83d\ude42\ud83d"`, `"\"\\\/\b\f\n\r\t"`, `"plain ü"`, `"a`, `7`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		want, isString := "", false
		if json.Valid(value) && utf8.Valid(value) && bytes.HasPrefix(value, []byte(`"`)) && bytes.HasSuffix(value, []byte(`"`)) {
			isString = json.Unmarshal(value, &want) == nil
		}
		got, ok := phoenix.StringValue(value)
		if ok != isString || got != want {
			t.Fatalf("%q: %q, %v, want %q, %v", value, got, ok, want, isString)
		}
		text := strings.ToValidUTF8(string(value), "\uFFFD")
		if got, ok := phoenix.StringValue(phoenix.Quote(string(value))); !ok || got != text {
			t.Fatalf("%q quoted and read is %q, %v", value, got, ok)
		}
	})
}

func FuzzDecodeBinary(f *testing.F) {
	for _, v := range vectors(f, "binary.json") {
		f.Add(v.binary(f))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := phoenix.V2.Decode(frame, true)
		if err != nil {
			return
		}
		rebuilt := append([]byte(nil), frame[:5]...)
		for i, value := range [][]byte{m.JoinRef, m.Ref, m.Topic, m.Event} {
			if !json.Valid(value) {
				t.Fatalf("%q has a field %q", frame, value)
			}
			text, ok := phoenix.StringValue(value)
			if !ok && (i > 0 || !phoenix.IsNull(value)) {
				t.Fatalf("%q has a field %q", frame, value)
			}
			rebuilt = append(rebuilt, text...)
		}
		if rebuilt = append(rebuilt, m.Payload...); !bytes.Equal(rebuilt, frame) {
			t.Fatalf("%q is put together again as %q", frame, rebuilt)
		}
	})
}
