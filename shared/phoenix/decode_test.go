package phoenix_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"helix/shared/phoenix"
)

func TestParseVersion_serves1_0and2_0only(t *testing.T) {
	t.Parallel()
	cases := []struct {
		vsn     string
		missing bool
		want    phoenix.Version // 0: refused
	}{
		{vsn: "", missing: true, want: phoenix.V1},
		{vsn: "1.0.0", want: phoenix.V1},
		{vsn: "1.0.12", want: phoenix.V1},
		{vsn: "2.0.0", want: phoenix.V2},
		{vsn: "2.0.3", want: phoenix.V2},
		{vsn: ""}, {vsn: "2"}, {vsn: "1.0"}, {vsn: "1.0."}, {vsn: "2.0.x"}, {vsn: "1.5.0"}, {vsn: "2.1.0"}, {vsn: "3.0.0"},
		{vsn: "abc"}, {vsn: "12.0.0"}, {vsn: "2.0.0 "}, {vsn: " 2.0.0"}, {vsn: "1.0.1.0.1"}, {vsn: "2.0.-1"},
	}
	for _, c := range cases {
		got, err := phoenix.ParseVersion(c.vsn, !c.missing)
		if got != c.want || (err == nil) != (c.want != 0) || (err != nil && !errors.Is(err, phoenix.ErrVersion)) {
			t.Errorf("%q (missing %v): %v, %v", c.vsn, c.missing, got, err)
		}
	}
}

func TestDecode_refusesWhatIsNoUTF8(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\xff", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf"} {
		if m, err := phoenix.V2.Decode([]byte(`[null,"1","t`+text+`","e",{}]`), false); !errors.Is(err, phoenix.ErrFrame) {
			t.Errorf("2.0.0, %q: %+v, %v", text, fieldsOf(m), err)
		}
		if m, err := phoenix.V1.Decode([]byte(`{"topic":"t","event":"e","payload":{},"ref":"1","`+text+`":1}`), false); !errors.Is(err, phoenix.ErrFrame) {
			t.Errorf("1.0.0, %q: %+v, %v", text, fieldsOf(m), err)
		}
	}
}

// The attack: a megabyte of opening brackets, to blow the stack of whoever reads it recursively.
func TestDecode_boundsNestingAndReadsDeepFramesWithoutStack(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		name, open, shut string
		levels           int // of one open and shut
	}{{"arrays", "[", "]", 1}, {"objects", `{"a":`, "}", 1}, {"arrays of objects", `[{"a":`, "}]", 2}}
	frames := []struct {
		version      phoenix.Version
		before, then string
	}{
		{phoenix.V1, `{"topic":"t","event":"e","ref":"1","payload":`, `}`},
		{phoenix.V2, `["1","1","t","e",`, `]`},
	}
	for _, k := range kinds {
		for _, f := range frames {
			decode := func(payload string) error {
				_, err := f.version.Decode([]byte(f.before+payload+f.then), false)
				return err
			}
			nested := func(levels int) string { // odd levels get an array around them
				odd := levels % k.levels
				n := levels / k.levels
				return strings.Repeat("[", odd) + strings.Repeat(k.open, n) + "1" + strings.Repeat(k.shut, n) + strings.Repeat("]", odd)
			}
			if err := decode(nested(phoenix.MaxDepth - 1)); err != nil { // the frame is level 1
				t.Errorf("%s under %d.0.0, at the bound: %v", k.name, f.version, err)
			}
			for _, levels := range []int{phoenix.MaxDepth, 300_000} {
				if err := decode(nested(levels)); !errors.Is(err, phoenix.ErrFrame) {
					t.Errorf("%s under %d.0.0, %d levels: %v", k.name, f.version, levels, err)
				}
			}
			if err := decode(strings.Repeat(k.open, 300_000)); !errors.Is(err, phoenix.ErrFrame) {
				t.Errorf("%s under %d.0.0, never closed: %v", k.name, f.version, err)
			}
		}
	}
}

func TestDecode_saysWhatIsWrong(t *testing.T) {
	t.Parallel()
	cases := []struct {
		version phoenix.Version
		frame   string
		binary  bool
		want    string
	}{
		{phoenix.V2, "[\"\xff\"]", false, "no UTF-8"},
		{phoenix.V2, `[1,`, false, "no JSON"},
		{phoenix.V2, `{}`, false, "array of at least five"},
		{phoenix.V2, `[1,2,3,4]`, false, "array of at least five"},
		{phoenix.V1, `not json`, false, "no JSON"},
		{phoenix.V1, `[]`, false, "topic, event, payload and ref"},
		{phoenix.V1, "\x00\x00\x00\x00\x00", true, "1.0.0 has no binary"},
		{phoenix.V2, "\x01", true, "no push"},
		{phoenix.V2, "\x00\x01", true, "shorter than its lengths"},
		{phoenix.V2, "\x00\x01\x00\x00\x00\xff", true, "no UTF-8"},
	}
	for _, c := range cases {
		_, err := c.version.Decode([]byte(c.frame), c.binary)
		if !errors.Is(err, phoenix.ErrFrame) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q in it", c.frame, err, c.want)
		}
	}
}

func TestDecode_givesPartsOfTheFrameThatCannotGrowIntoEachOther(t *testing.T) {
	t.Parallel()
	frames := map[phoenix.Version]string{
		phoenix.V1: `{"join_ref":"j","ref":"r","topic":"t","event":"e","payload":{"a":1}}`,
		phoenix.V2: `["j","r","t","e",{"a":1}]`,
	}
	for version, text := range frames {
		frame := []byte(text)
		m, err := version.Decode(frame, false)
		if err != nil {
			t.Fatal(err)
		}
		parts := [][]byte{m.JoinRef, m.Ref, m.Topic, m.Event, m.Payload}
		for _, part := range parts {
			_ = append(part, "overwritten"...)
		}
		if string(frame) != text {
			t.Errorf("appending to a part writes into the frame: %s", frame)
		}
		for i := range frame {
			frame[i] = 'x'
		}
		for i, part := range parts {
			if len(part) == 0 || len(bytes.Trim(part, "x")) > 0 {
				t.Errorf("%d.0.0, part %d is no part of the frame: %s", version, i, part)
			}
		}
	}
}

func TestMessage_topicAndEventAreReadWithoutTheirQuotes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		frame        string
		topic, event string
		topicOK      bool
		eventOK      bool
	}{
		{`[null,"1","flow:f","ping",{}]`, "flow:f", "ping", true, true},
		{`[null,"1","flow:\u0066\n","p\u0069ng",{}]`, "flow:f\n", "ping", true, true},
		{`[null,"1",5,null,{}]`, "", "", false, false},
		{`[null,"1",["t"],{"e":1},{}]`, "", "", false, false},
	}
	for _, c := range cases {
		m, err := phoenix.V2.Decode([]byte(c.frame), false)
		if err != nil {
			t.Fatalf("%s: %v", c.frame, err)
		}
		if topic, ok := m.TopicString(); topic != c.topic || ok != c.topicOK {
			t.Errorf("%s: topic %q, %v", c.frame, topic, ok)
		}
		if event, ok := m.EventString(); event != c.event || ok != c.eventOK {
			t.Errorf("%s: event %q, %v", c.frame, event, ok)
		}
		if m.EventIs(c.event) != c.eventOK || m.EventIs(c.event+"x") || m.EventIs("other") {
			t.Errorf("%s: EventIs takes %q for something else", c.frame, m.Event)
		}
	}
}

func TestDecode_binaryTextsCannotGrowIntoEachOther(t *testing.T) {
	t.Parallel()
	m, err := phoenix.V2.Decode([]byte("\x00\x01\x02\x06\x04312flow:fping"), true)
	if err != nil {
		t.Fatal(err)
	}
	want := fieldsOf(m)
	for _, part := range [][]byte{m.JoinRef, m.Ref, m.Topic, m.Event} {
		_ = append(part, "overwritten"...)
	}
	if got := fieldsOf(m); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestMessage_ofNothingIsNoEvent(t *testing.T) {
	t.Parallel()
	var m phoenix.Message
	if _, ok := m.EventString(); ok || m.EventIs("") || m.EventIs("ping") {
		t.Error("a message without a frame has an event")
	}
}

func TestIsNull(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"null": true, "true": false, `"nu"`: false, `"null"`: false, "1000": false, "": false, "0": false} {
		if phoenix.IsNull([]byte(value)) != want {
			t.Errorf("%s: %v", value, !want)
		}
	}
}

// What a client sends must not decide how much a server allocates.
func TestDecode_allocatesNothing(t *testing.T) {
	const payload = `{"a_key_that_is_longer_than_the_one_that_is_looked_for":1,"ch\u0061nge":2,"\u0063hanges":{"n1":{"x":1.5}}}`
	frames := map[phoenix.Version]string{
		phoenix.V1: `{"a_key_that_is_longer_than_all_that_are_looked_for":1,"\u0074opic":"flow:f","event":"flow_change","payload":` + payload + `,"ref":"1"}`,
		phoenix.V2: `["3","7","flow:f","flow_change",` + payload + `]`,
	}
	for version, text := range frames {
		frame := []byte(text)
		if n := testing.AllocsPerRun(100, func() {
			m, err := version.Decode(frame, false)
			if err != nil || m.EventIs(phoenix.EventHeartbeat) || m.EventIs(phoenix.EventJoin) || !m.EventIs("flow_change") {
				t.Fatalf("%+v, %v", fieldsOf(m), err)
			}
			if _, ok := phoenix.Field(m.Payload, "changes"); !ok {
				t.Fatal("no changes")
			}
		}); n > 0 {
			t.Errorf("%d.0.0: %v allocations", version, n)
		}
	}
	push := []byte("\x00\x01\x02\x06\x04312flow:fping\xff")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := phoenix.V2.Decode(push, true); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("a binary push: %v allocations, want the one of its quoted texts", n)
	}
}
