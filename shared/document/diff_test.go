package document_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"helix/shared/document"
)

func TestDiff_namesWhatIsDifferent_andNothingElse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, to, want string }{
		{`{}`, `{}`, `{}`},
		{`{"a":1,"b":{"c":[1,null]}}`, `{"b":{"c":[ 1, null ]},"a":1}`, `{}`},
		{`{"a":1,"b":2}`, `{"b":3,"c":4}`, `{"b":3,"c":4,"a":null}`},
		{`{"a":{"b":1,"c":1},"d":{"e":{}}}`, `{"a":{"b":1,"c":2},"d":{"e":{}}}`, `{"a":{"c":2}}`},
		{`{"a":{"b":1}}`, `{"a":{}}`, `{"a":{"b":null}}`},
		{`{"a":{"b":1}}`, `{"a":[]}`, `{"a":[]}`},
		{`{"a":1}`, `{"a":{}}`, `{"a":{}}`},
		{`{"a":1}`, `{"a":1.0}`, `{"a":1.0}`},
		{`{"a":{"x":1}}`, `{"\u0061":{"x":1}}`, `{}`},
		{`{"a":null,"b":{"c":null}}`, `{"a":null,"b":{"c":null},"d":1}`, `{"d":1}`},
	} {
		got, err := document.Diff(parse(t, test.from), parse(t, test.to))
		if err != nil || string(got) != test.want {
			t.Errorf("from %s to %s: %s, %v, want %s", test.from, test.to, got, err, test.want)
		}
	}
}

func TestDiff_refusesNullMembers_forNoPatchMakesThem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, to, at string }{
		{`{}`, `{"a":null}`, "/a"},
		{`{"a":1}`, `{"a":null}`, "/a"},
		{`{"a":{"b":1}}`, `{"a":{"b":null}}`, "/a/b"},
		{`{}`, `{"x":1,"a/b":{"~":{"c":[null],"d":null}}}`, "/a~1b/~0/d"},
	} {
		to := parse(t, test.to)
		_, err := document.Diff(parse(t, test.from), to)
		if !errors.Is(err, document.ErrNull) || !strings.HasSuffix(err.Error(), ": "+test.at) {
			t.Errorf("from %s to %s: %v", test.from, test.to, err)
		}
		if got := to.NullMember(); got != test.at {
			t.Errorf("%s has its null at %q, want %q", test.to, got, test.at)
		}
	}
	if got := parse(t, `{"a":[null,{"b":null}],"c":"null","d":{}}`).NullMember(); got != "" {
		t.Error(got)
	}
}

// Whatever the two documents: the patch makes the one into the other, names nothing twice, and between
// equal documents there is none. Their members come and go before, as they do in a document that lives.
func TestDiff_makesTheOneIntoTheOther(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		r := random{rand.New(rand.NewPCG(seed, 4))}
		from, to := parse(t, r.object(4, false, 4)), parse(t, r.object(4, false, 4))
		if r.IntN(3) > 0 { // alike
			to = from.Clone()
		}
		for range r.IntN(4) {
			must(t, to.Apply([]byte(r.object(4, true, r.IntN(4)))))
		}
		before, want := text(from), text(to)
		patch, err := document.Diff(from, to)
		if err != nil {
			t.Fatalf("seed %d: from %s to %s: %v", seed, before, want, err)
		}
		same := reflect.DeepEqual(meaning(t, before), meaning(t, want))
		if same != (string(patch) == "{}") {
			t.Fatalf("seed %d: from %s to %s: %s", seed, before, want, patch)
		}
		if text(parse(t, string(patch))) != string(patch) {
			t.Fatalf("seed %d: %s names something twice", seed, patch)
		}
		if text(from) != before || text(to) != want {
			t.Fatalf("seed %d: a document was changed", seed)
		}
		must(t, from.Apply(patch))
		if !reflect.DeepEqual(meaning(t, text(from)), meaning(t, want)) || from.Size() != to.Size() {
			t.Fatalf("seed %d: %s and %s make %s, want %s", seed, before, patch, text(from), want)
		}
	}
}

func FuzzDiff(f *testing.F) {
	f.Add(`{"a":1}`, `{"a":{"c":2}}`)
	f.Add(`{"a":{"b":{}},"c":[1]}`, `{"a":{"b":{"c":null}},"c":[2]}`)
	f.Add(`{"a":null}`, `{"\u0061":null,"":{}}`)
	f.Fuzz(func(t *testing.T, one, other string) {
		from, err := document.Parse([]byte(one), document.Limits{})
		if err != nil {
			return
		}
		to, err := document.Parse([]byte(other), document.Limits{})
		if err != nil {
			return
		}
		patch, err := document.Diff(from, to)
		if err != nil {
			if !errors.Is(err, document.ErrNull) || to.NullMember() == "" {
				t.Fatalf("from %s to %s: %v", one, other, err)
			}
			return
		}
		must(t, from.Apply(patch))
		if !reflect.DeepEqual(meaning(t, text(from)), meaning(t, text(to))) {
			t.Fatalf("%s and %s make %s, want %s", one, patch, text(from), text(to))
		}
	})
}

func BenchmarkDiff_OnePositionOf500Nodes(b *testing.B) {
	from, to := parse(b, string(automation())), parse(b, string(automation()))
	must(b, to.Apply([]byte(`{"nodes":{"n271":{"position":{"x":1042.5,"y":-310.25}}}}`)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := document.Diff(from, to); err != nil {
			b.Fatal(err)
		}
	}
}
