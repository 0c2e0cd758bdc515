package document_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"helix/shared/document"
)

func parse(t testing.TB, text string) *document.Document {
	t.Helper()
	d, err := document.Parse([]byte(text), document.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func text(d *document.Document) string { return string(d.AppendJSON(nil)) }

// meaning is a JSON text as encoding/json sees it.
func meaning(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// mergePatch is the pseudocode of RFC 7396, section 2.
func mergePatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	merged := map[string]any{}
	if old, ok := target.(map[string]any); ok {
		for name, v := range old {
			merged[name] = v
		}
	}
	for name, v := range p {
		if v == nil {
			delete(merged, name)
		} else {
			merged[name] = mergePatch(merged[name], v)
		}
	}
	return merged
}

// The cases of RFC 7396, appendix A. Helix's documents and patches are objects: of the others is only
// shown that they are refused.
func TestApply_casesOfTheRFC(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, ``},
		{`{"a":"b"}`, `["c"]`, ``},
		{`{"a":"foo"}`, `null`, ``},
		{`{"a":"foo"}`, `"bar"`, ``},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, ``},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		d, err := document.Parse([]byte(test.target), document.Limits{})
		if err == nil {
			before := text(d)
			if err = d.Apply([]byte(test.patch)); err != nil && text(d) != before {
				t.Errorf("%s was changed by a patch that failed", test.target)
			}
		}
		switch {
		case test.want == "":
			if !errors.Is(err, document.ErrNotObject) {
				t.Errorf("%s and %s: %v", test.target, test.patch, err)
			}
		case err != nil || text(d) != test.want:
			t.Errorf("%s and %s: %v, %v; want %s", test.target, test.patch, text(d), err, test.want)
		}
	}
}

func TestParse_keepsTexts_andTakesOutSpaces(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 600) + "1" + strings.Repeat("}", 600)
	for _, test := range []struct {
		in, want string
		err      error
	}{
		{" { \"b\" : 1 ,\n\"a\" : [ 1 , \" [ \\\" \" , { \"x\" : null } ] } ", `{"b":1,"a":[1," [ \" ",{"x":null}]}`, nil},
		{`{"n":12345678901234567890,"e":1e400,"z":-0,"s":"\ud800 \u0041"}`, `{"n":12345678901234567890,"e":1e400,"z":-0,"s":"\ud800 \u0041"}`, nil},
		{`{"a":1,"b":2,"\u0061":3}`, `{"a":3,"b":2}`, nil},
		{`{"a":null}`, `{"a":null}`, nil},
		{`{"a":1,}`, "", document.ErrSyntax}, {`{"a" 1}`, "", document.ErrSyntax}, {`{a:1}`, "", document.ErrSyntax},
		{`{"a":01}`, "", document.ErrSyntax}, {`{"a":1.}`, "", document.ErrSyntax}, {`{"a":+1}`, "", document.ErrSyntax},
		{`{"a":1e}`, "", document.ErrSyntax}, {`{"a":"\x"}`, "", document.ErrSyntax}, {`{"a":"\u12g4"}`, "", document.ErrSyntax},
		{"{\"a\":\"\n\"}", "", document.ErrSyntax}, {`{"a":tru}`, "", document.ErrSyntax}, {`{"a":[1,]}`, "", document.ErrSyntax},
		{`{"a":1}}`, "", document.ErrSyntax}, {`{`, "", document.ErrSyntax}, {``, "", document.ErrSyntax}, {`{"a"`, "", document.ErrSyntax},
		{`[]`, "", document.ErrNotObject}, {`1`, "", document.ErrNotObject},
		{deep, "", document.ErrTooDeep}, {`{"a":` + strings.Repeat("[", 600), "", document.ErrTooDeep},
	} {
		d, err := document.Parse([]byte(test.in), document.Limits{})
		if !errors.Is(err, test.err) || (err == nil && text(d) != test.want) {
			t.Errorf("%.60s: %v, want %s, %v", test.in, err, test.want, test.err)
		}
	}
	if _, err := document.Parse([]byte(`{"a":1}`), document.Limits{MaxBytes: 6}); !errors.Is(err, document.ErrTooLarge) {
		t.Error(err)
	}
	if _, err := document.Parse([]byte(`{"a":{"b":[]}}`), document.Limits{MaxDepth: 2}); !errors.Is(err, document.ErrTooDeep) {
		t.Error(err)
	}
}

func TestDocument_tellsOfItsMembers(t *testing.T) {
	t.Parallel()
	d := parse(t, `{"title":"Größe \u0026 Co","nodes":{"a":1,"b":2},"edges":[ {"x":[1,2]}, "]", 3 ],"none":[],"n":1}`)
	if err := d.Apply([]byte(`{"nodes":{"a":null}}`)); err != nil {
		t.Fatal(err)
	}
	for member, want := range map[string]int{"nodes": 1, "edges": 3, "none": 0, "n": 0, "missing": 0, "title": 0} {
		if got := d.Len(member); got != want {
			t.Errorf("%s: %d, want %d", member, got, want)
		}
	}
	if s, ok := d.String("title"); !ok || s != "Größe & Co" {
		t.Errorf("%q, %v", s, ok)
	}
	if s, ok := d.String("nodes"); ok {
		t.Errorf("%q", s)
	}
}

// random makes JSON from an alphabet so small that names meet and values of every kind replace each other.
type random struct{ *rand.Rand }

func (r random) name() string { return fmt.Sprintf("k%d", r.IntN(4)) }

func (r random) value(depth int, nulls bool) string {
	switch n := r.IntN(10); {
	case n < 5 && depth > 0:
		return r.object(depth-1, nulls, r.IntN(4))
	case n < 6:
		return `[1,null,{"k0":null}]`
	case n < 8 && nulls:
		return "null"
	}
	return fmt.Sprint(r.IntN(3))
}

func (r random) object(depth int, nulls bool, members int) string {
	var parts []string
	for range members {
		parts = append(parts, fmt.Sprintf("%q:%s", r.name(), r.value(depth, nulls)))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestApply_isTheRFCs_andTheSizeIsRight(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		start := r.object(4, false, 4)
		d, want := parse(t, start), meaning(t, start)
		for range 12 {
			patch := r.object(4, true, r.IntN(4))
			clone, before := d.Clone(), text(d)
			if err := d.Apply([]byte(patch)); err != nil {
				t.Fatalf("seed %d: %s: %v", seed, patch, err)
			}
			want = mergePatch(want, meaning(t, patch))
			if got := text(d); !reflect.DeepEqual(meaning(t, got), want) || d.Size() != len(got) {
				t.Fatalf("seed %d: %s and %s: %s, size %d", seed, before, patch, got, d.Size())
			}
			if text(clone) != before {
				t.Fatalf("seed %d: a clone changed with its original", seed)
			}
		}
	}
}

func TestApply_manyMembers_comeAndGo(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	d, want := document.New(), any(map[string]any{})
	for range 4000 {
		v := "null"
		if r.IntN(5) < 2 {
			v = fmt.Sprint(r.IntN(1000))
		}
		patch := fmt.Sprintf(`{"nodes":{"n%d":%s}}`, r.IntN(100), v)
		if err := d.Apply([]byte(patch)); err != nil {
			t.Fatal(err)
		}
		want = mergePatch(want, meaning(t, patch))
		if d.Size() != len(text(d)) {
			t.Fatalf("size %d of %s", d.Size(), text(d))
		}
	}
	if !reflect.DeepEqual(meaning(t, text(d)), want) {
		t.Fatal(text(d))
	}
}

// Whatever the run and whatever the document: the composed patches do what the run does; also to a
// document that has the run's first patches already.
func TestRun_hasTheEffectOfItsPatches_onEveryDocument(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		r := random{rand.New(rand.NewPCG(seed, 3))}
		var run document.Run
		var patches []string
		for range 1 + r.IntN(6) {
			p := r.object(4, true, r.IntN(4))
			if err := run.Add([]byte(p)); err != nil {
				t.Fatal(err)
			}
			patches = append(patches, p)
		}
		composed := run.AppendPatches(nil)
		size := 0
		for _, p := range composed {
			size += len(p)
		}
		if len(composed) > 2 || run.Size() < size || run.Len() != len(patches) {
			t.Fatalf("seed %d: %q, size %d of %d", seed, composed, size, run.Size())
		}
		for range 20 {
			start := r.object(4, false, 4)
			had := r.IntN(len(patches) + 1)
			one, other := parse(t, start), parse(t, start)
			for i, p := range patches {
				must(t, one.Apply([]byte(p)))
				if i < had {
					must(t, other.Apply([]byte(p)))
				}
			}
			for _, p := range composed {
				must(t, other.Apply(p))
			}
			if !reflect.DeepEqual(meaning(t, text(one)), meaning(t, text(other))) {
				t.Fatalf("seed %d: %s\nrun %q, of which it had %d\nmakes    %s\ncomposed %q\nmakes    %s", seed, start, patches, had, text(one), composed, text(other))
			}
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRun_isNotChangedByWhatIsNoPatch(t *testing.T) {
	t.Parallel()
	var run document.Run
	if got := run.AppendPatches(nil); len(got) != 0 {
		t.Fatalf("%q", got)
	}
	must(t, run.Add([]byte(`{"a":1}`)))
	for _, bad := range []string{`{"a":2,}`, `[]`, ``, `{"a":` + strings.Repeat("[", 600)} {
		if err := run.Add([]byte(bad)); err == nil {
			t.Errorf("%.20s was taken", bad)
		}
	}
	if got := run.AppendPatches(nil); len(got) != 1 || string(got[0]) != `{"a":1}` || run.Len() != 1 {
		t.Fatalf("%q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,{"b":null}],"\u00e4":"\\\""}`, `{"a":1e-5 , "a":{"x":true}}`, "{\"\xff\":1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := document.Parse(data, document.Limits{})
		var v map[string]any
		valid := json.Valid(data) && json.Unmarshal(data, &v) == nil && v != nil
		if errors.Is(err, document.ErrTooDeep) {
			return
		}
		if (err == nil) != valid && !strings.Contains(string(data), "e") && !strings.Contains(string(data), "E") { // 1e999 is a number here
			t.Fatalf("%q: %v, encoding/json says %v", data, err, valid)
		}
		if err != nil {
			return
		}
		out := text(d)
		if d.Size() != len(out) || text(parse(t, out)) != out {
			t.Fatalf("%q becomes %q", data, out)
		}
	})
}

func FuzzCompose(f *testing.F) {
	f.Add(`{"a":1}`, `{"a":1}`, `{"a":{"c":2}}`)
	f.Add(`{"a":{"b":{}}}`, `{"a":{"b":null}}`, `{"a":{"b":{"c":null}}}`)
	f.Fuzz(func(t *testing.T, start, first, second string) {
		one, err := document.Parse([]byte(start), document.Limits{})
		if err != nil {
			return
		}
		other := one.Clone()
		var run document.Run
		for _, p := range []string{first, second} {
			failed := one.Apply([]byte(p))
			if err := run.Add([]byte(p)); (err == nil) != (failed == nil) {
				t.Fatalf("%q: applied %v, composed %v", p, failed, err)
			}
		}
		for _, p := range run.AppendPatches(nil) {
			must(t, other.Apply(p))
		}
		if !reflect.DeepEqual(meaning(t, text(one)), meaning(t, text(other))) {
			t.Fatalf("%s and %s and %s make %s, composed %s", start, first, second, text(one), text(other))
		}
	})
}

// automation is a flow of 500 nodes and 700 edges as the web page makes it.
func automation() []byte {
	var b strings.Builder
	b.WriteString(`{"title":"Support","nodes":{`)
	for i := range 500 {
		fmt.Fprintf(&b, `"n%d":{"type":"agent","position":{"x":%d,"y":%d.5},"data":{"label":"Step %d","description":"Reads the ticket and says what it is about"}},`, i, i*7, i*3, i)
	}
	text := strings.TrimSuffix(b.String(), ",") + `},"edges":{`
	b.Reset()
	for i := range 700 {
		fmt.Fprintf(&b, `"e%d":{"source":"n%d","target":"n%d","label":"then"},`, i, i%500, (i*7+1)%500)
	}
	return []byte(text + strings.TrimSuffix(b.String(), ",") + `}}`)
}

func BenchmarkApply_OnePositionOf500Nodes(b *testing.B) {
	d := parse(b, string(automation()))
	patch := []byte(`{"nodes":{"n271":{"position":{"x":1042.5,"y":-310.25}}}}`)
	b.ReportAllocs()
	for b.Loop() {
		must(b, d.Apply(patch))
	}
}

func BenchmarkParse_500Nodes(b *testing.B) {
	text := automation()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := document.Parse(text, document.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON_500Nodes(b *testing.B) {
	d := parse(b, string(automation()))
	b.SetBytes(int64(d.Size()))
	b.ReportAllocs()
	buf := make([]byte, 0, d.Size())
	for b.Loop() {
		buf = d.AppendJSON(buf[:0])
	}
}

func BenchmarkRun_10000PositionsOf500Nodes(b *testing.B) {
	patches := make([][]byte, 10_000)
	for i := range patches {
		patches[i] = fmt.Appendf(nil, `{"nodes":{"n%d":{"position":{"x":%d,"y":%d.5}}}}`, i%500, i, i*3)
	}
	b.ReportAllocs()
	for b.Loop() {
		var run document.Run
		for _, p := range patches {
			must(b, run.Add(p))
		}
		run.AppendPatches(nil)
	}
}
