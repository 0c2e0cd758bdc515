package phoenix_test

import (
	"encoding/json"
	"testing"

	"helix/shared/phoenix"
)

func TestField_givesTheFirstMemberOfTheNameOrNone(t *testing.T) {
	t.Parallel()
	cases := []struct{ object, key, want string }{
		{`{"a":1}`, "a", "1"},
		{` { "b" : [ 1 ] , "a" : { "x" : 1 } } `, "a", `{ "x" : 1 }`},
		{`{"a":null}`, "a", "null"},
		{`{"a":1,"a":2}`, "a", "1"},
		{`{"\u0061":1,"a":2}`, "a", "1"},
		{`{"":1}`, "", "1"},
		{`{"\ud83d\ude42\u00fc":1}`, "🙂ü", "1"},
		{`{"\"\\\/\b\f\n\r\t":1}`, "\"\\/\b\f\n\r\t", "1"},
		{`{"a":"}","b":2}`, "b", "2"},
		{`{"a":{"b":1},"b":2}`, "b", "2"},
		{`{"b":{"a":1}}`, "a", ""},
		{`{"aa":1}`, "a", ""},
		{`{"A":1}`, "a", ""},
		{`{"a\u0000":1}`, "a", ""},
		{`{"\\":1}`, `\\`, ""}, // as long as the key and yet another text
		{`{"\u0061":1}`, `\u0061`, ""},
		{`{"\ud83d":1}`, "🙂", ""},
		{`{}`, "a", ""}, {`{ }`, "a", ""},
		{`[]`, "a", ""}, {`["a",1]`, "a", ""}, {`null`, "a", ""}, {`"a"`, "a", ""}, {`7`, "a", ""},
	}
	for _, c := range cases {
		got, ok := phoenix.Field([]byte(c.object), c.key)
		if string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%q of %s: %q, %v", c.key, c.object, got, ok)
		}
	}
}

// Nobody has checked the bytes of a binary push; who asks them for a field all the same must not fall.
func TestField_ofWhatIsNoJSONGivesNothing(t *testing.T) {
	t.Parallel()
	for _, object := range []string{"", " ", "{", `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":}`, `{"a":[`, `{"b":1`, `{"b":1,`, `{"b":1;"a":1}`, "\xff", `{"b"1,"a":1}`} {
		if got, ok := phoenix.Field([]byte(object), "a"); ok {
			t.Errorf("%q: %q", object, got)
		}
	}
}

func TestStringValue_readsEveryEscape(t *testing.T) {
	t.Parallel()
	cases := []struct{ value, want string }{
		{`""`, ""}, {`"plain"`, "plain"}, {`"ü漢🙂"`, "ü漢🙂"},
		{`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"},
		{`"a\u0062c\u00fcd\u6f22e\u0000"`, "abcüd漢e\x00"},
		{`"\u00FC\u00fC"`, "üü"},
		{`"\ud83d\ude42"`, "🙂"},
		{`"\ud83d"`, "\uFFFD"}, {`"\ude42"`, "\uFFFD"}, {`"\ud83dx"`, "\uFFFDx"}, {`"\ud83d\n"`, "\uFFFD\n"},
		{`"\ud83d\ud83d\ude42"`, "\uFFFD🙂"}, {`"\ude42\ud83d"`, "\uFFFD\uFFFD"}, {`"\ud83d\u0061"`, "\uFFFDa"},
	}
	for _, c := range cases {
		if got, ok := phoenix.StringValue([]byte(c.value)); !ok || got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.value, got, ok, c.want)
		}
	}
}

func TestStringValue_refusesWhatIsNoString(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"null", "7", "{}", `["a"]`, "", `"`, `"abc`, `abc"`, `"a"b"`, `"a" `, ` "a"`, `"a\"`, `"\x"`, `"\u12"`, "\"\x01\"", "\"\xff\""} {
		if got, ok := phoenix.StringValue([]byte(value)); ok {
			t.Errorf("%q gives %q", value, got)
		}
	}
}

func TestQuote_isWhatStringValueAndTheStandardLibraryRead(t *testing.T) {
	t.Parallel()
	cases := []struct{ text, want string }{
		{"", `""`}, {"plain", `"plain"`}, {`"\/`, `"\"\\/"`}, {"\n\r\t", `"\n\r\t"`},
		{"a\x00\x1f\b\x7f", `"a\u0000\u001f\u0008` + "\x7f\""},
		{"ü漢🙂\u2028<>&", "\"ü漢🙂\u2028<>&\""}, // only what JSON demands
	}
	for _, c := range cases {
		quoted := phoenix.Quote(c.text)
		if string(quoted) != c.want {
			t.Errorf("%q: %s, want %s", c.text, quoted, c.want)
		}
		if got, ok := phoenix.StringValue(quoted); !ok || got != c.text {
			t.Errorf("%q: %s gives %q, %v", c.text, quoted, got, ok)
		}
		var std string
		if err := json.Unmarshal(quoted, &std); err != nil || std != c.text {
			t.Errorf("%q: the standard library reads %q, %v", c.text, std, err)
		}
		if got := string(phoenix.AppendQuote([]byte("+"), c.text)); got != "+"+c.want {
			t.Errorf("%q: appended it is %s", c.text, got)
		}
	}
	if got := string(phoenix.Quote("a\xff\xfeb\xc3")); got != "\"a\uFFFDb\uFFFD\"" {
		t.Errorf("bytes that are no UTF-8: %s", got)
	}
}
