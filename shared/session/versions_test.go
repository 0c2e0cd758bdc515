package session_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"helix/shared/flows"
	"helix/shared/redistest"
	"helix/shared/session"
)

// versionAt is a version with a document, as keep wants it.
func versionAt(c session.Changed, number uint64, document string) (flows.Version, []byte) {
	packed := session.Pack([]byte(document))
	return flows.Version{
		ID: session.NewVersionID(), Position: session.Position{Epoch: c.Epoch, Seq: c.First}, At: c.At, Number: number,
		Title: "Größe", Nodes: 1, StoredBytes: len(packed),
	}, packed
}

func mustKeep(t testing.TB, f *session.Flow, number uint64, list []flows.Version, gone []string, packed []byte) uint64 {
	t.Helper()
	next, err := f.WriteVersions(context.Background(), number, list, gone, packed)
	if err != nil || next <= number {
		t.Fatalf("keep over %d: %d, %v", number, next, err)
	}
	return next
}

func mustVersions(t testing.TB, f *session.Flow, clients ...string) session.Versions {
	t.Helper()
	v, err := f.Versions(context.Background(), clients...)
	if err != nil {
		t.Fatalf("versions: %v", err)
	}
	return v
}

func note(t testing.TB, f *session.Flow, a flows.Author) {
	t.Helper()
	done := make(chan error)
	f.NoteAuthor(a, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatalf("note an author: %v", err)
	}
}

func TestVersions_areKept_oneWriterAtATime_andGoWithTheDocument(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		f := session.NewStore(l, "a", patient).Flow("f")
		if v := mustVersions(t, f, "ann"); v.Number != 0 || len(v.List) != 0 || v.Head.Epoch != "" || v.Authors[0] != (flows.Author{ClientID: "ann"}) {
			t.Fatalf("of a flow that never was: %+v", v)
		}
		first := put(t, f, `{"a":1}`)
		one, packed := versionAt(first, 1, `{"a":1}`)
		one.By = []flows.Author{{ClientID: "ann", UserID: "u1", Name: "Ann \"\u2028\""}, {ClientID: "bob"}}
		n1 := mustKeep(t, f, 0, []flows.Version{one}, nil, packed)
		if _, err := f.WriteVersions(context.Background(), 0, nil, nil, nil); !errors.Is(err, session.ErrMoved) {
			t.Fatalf("a second writer over the same list: %v", err)
		}
		second := put(t, f, `{"a":2}`)
		two, packed := versionAt(second, 2, `{"a":2}`)
		two.Name = "named"
		n2 := mustKeep(t, f, n1, []flows.Version{two, one}, nil, packed)
		note(t, f, flows.Author{ClientID: "ann", UserID: "u1", Name: "Ann"})
		got := mustVersions(t, f, "bob", "ann")
		if got.Number != n2 || got.Head.Seq != 2 || !reflect.DeepEqual(got.Authors, []flows.Author{{ClientID: "bob"}, {ClientID: "ann", UserID: "u1", Name: "Ann"}}) {
			t.Fatalf("%+v", got)
		}
		for i, want := range []flows.Version{two, one} {
			if !got.List[i].At.Equal(want.At) {
				t.Fatalf("at %v, want %v", got.List[i].At, want.At)
			}
			got.List[i].At = want.At
			if !reflect.DeepEqual(got.List[i], want) {
				t.Fatalf("%+v\n%+v", got.List[i], want)
			}
		}
		v, document, exists, err := f.Version(context.Background(), one.ID)
		if err != nil || !exists || v.Seq != 1 || string(document) != `{"a":1}` {
			t.Fatalf("%+v %s %v %v", v, document, exists, err)
		}
		if _, _, exists, err := f.Version(context.Background(), "nobody's"); err != nil || exists {
			t.Fatalf("a version that is not there: %v, %v", exists, err)
		}
		n3 := mustKeep(t, f, n2, []flows.Version{two}, []string{one.ID}, nil)
		if _, _, exists, err := f.Version(context.Background(), one.ID); err != nil || exists {
			t.Fatalf("a version that was taken out: %v, %v", exists, err)
		}
		other, packed := versionAt(session.Changed{Epoch: "other", First: 1}, 3, `{}`)
		if _, err := f.WriteVersions(context.Background(), n3, []flows.Version{other, two}, nil, packed); !errors.Is(err, session.ErrGone) {
			t.Fatalf("a version of another epoch: %v", err)
		}
		ahead, packed := versionAt(session.Changed{Epoch: second.Epoch, First: 3}, 3, `{}`)
		if _, err := f.WriteVersions(context.Background(), n3, []flows.Version{ahead, two}, nil, packed); !errors.Is(err, session.ErrGone) {
			t.Fatalf("a version of a seq that is yet to come: %v", err)
		}
		if _, _, err := f.Delete(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if v := mustVersions(t, f, "ann"); v.Number != 0 || len(v.List) != 0 || v.Authors[0].Name != "" {
			t.Fatalf("of a deleted flow: %+v", v)
		}
		if _, _, exists, err := f.Version(context.Background(), two.ID); err != nil || exists {
			t.Fatalf("a version of a deleted flow: %v, %v", exists, err)
		}
		if _, err := f.WriteVersions(context.Background(), 0, []flows.Version{two}, nil, packed); !errors.Is(err, session.ErrGone) {
			t.Fatalf("a writer who comes after the deletion: %v", err)
		}
		third := put(t, f, `{"b":1}`)
		again, packed := versionAt(third, 1, `{"b":1}`)
		if n := mustKeep(t, f, 0, []flows.Version{again}, nil, packed); n <= n3 {
			t.Fatalf("the number %d came again after the deletion: %d", n3, n)
		}
	})
}

func TestVersions_outliveAnEpoch_whoseDocumentIsPutBack(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		f := session.NewStore(openLanes(t, url), "a", patient).Flow("f")
		first := put(t, f, `{"a":1}`)
		one, packed := versionAt(first, 1, `{"a":1}`)
		number := mustKeep(t, f, 0, []flows.Version{one}, nil, packed)
		done := make(chan error)
		at := session.Position{Epoch: first.Epoch, Seq: 9} // of which Redis lost all but the first
		f.Restore(at, session.Held{Position: one.Position}, fold(0, "", 0, `{"a":9}`), nil, func(epoch string, err error) {
			if epoch == "" {
				err = errors.Join(err, errors.New("not put back"))
			}
			done <- err
		})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if v := mustVersions(t, f); v.Number != number || len(v.List) != 1 || v.Head.Epoch == first.Epoch {
			t.Fatalf("%+v", v)
		}
		if _, document, exists, err := f.Version(context.Background(), one.ID); err != nil || !exists || string(document) != `{"a":1}` {
			t.Fatalf("%s, %v, %v", document, exists, err)
		}
	})
}

func TestNoteAuthor_forgetsThoseWhoWereToldLongestAgo(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		l := openLanes(t, url)
		f := session.NewStore(l, "a", patient).Flow("f")
		const many, wave = 280, 28 // that wait at once: the stand-in is slow
		done := make(chan error, wave)
		for i := 0; i < many; i += wave {
			for n := range wave {
				f.NoteAuthor(flows.Author{ClientID: fmt.Sprint("c", i+n), Name: "N"}, func(err error) { done <- err })
			}
			for range wave {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
		}
		note(t, f, flows.Author{ClientID: "last", Name: "Last"})
		n, err := l.Client().HLen(context.Background(), l.Keys("f").Authors).Result()
		if err != nil || n > 256 {
			t.Fatalf("%d are remembered, %v", n, err)
		}
		if v := mustVersions(t, f, "last"); v.Authors[0].Name != "Last" {
			t.Fatalf("the last one is forgotten: %+v", v.Authors)
		}
	})
}

func TestMembers_areTheFirstOnes_andAlwaysTheSame(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, url string) {
		s := session.NewStore(openLanes(t, url), "a", patient)
		f := s.Flow("f")
		join(t, f, 0, 8)
		var clients []session.Shown
		for i := range 8 {
			clients = append(clients, session.Shown{Member: uint64(i), ClientID: fmt.Sprint("c", i), Meta: fmt.Sprintf(`{"name":"N%d"}`, i)})
		}
		done := make(chan error)
		f.Present(clients, func(_, _ uint64, known bool, err error) {
			if !known {
				err = errors.Join(err, errors.New("not known"))
			}
			done <- err
		})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for range 2 {
			all, err := s.Members(context.Background(), []flows.ID{"f", "nobody's"}, 5)
			if err != nil || len(all) != 2 || len(all[0]) != 5 || len(all[1]) != 0 {
				t.Fatalf("%+v, %v", all, err)
			}
			for i, m := range all[0] {
				if m.ClientID != fmt.Sprint("c", i) || m.Meta != fmt.Sprintf(`{"name":"N%d"}`, i) {
					t.Errorf("%+v", m)
				}
			}
		}
	})
}

func TestPack_givesTheDocumentBackByteForByte(t *testing.T) {
	t.Parallel()
	f := session.NewStore(openLanes(t, ""), "a", patient).Flow("f")
	c := put(t, f, `{}`)
	number := uint64(0)
	for _, document := range []string{`{}`, `{"n":12345678901234567890,"t":"\u2028"}`, `{"x":"` + strings.Repeat("long ", 1<<18) + `"}`} {
		v, packed := versionAt(c, 1, document)
		number = mustKeep(t, f, number, []flows.Version{v}, nil, packed)
		if _, got, _, err := f.Version(context.Background(), v.ID); err != nil || string(got) != document {
			t.Fatalf("%d bytes came back as %d, %v", len(document), len(got), err)
		}
	}
}

// A year of editing, a version every five minutes: what stays is close together now and far apart then.
func TestThin_keepsTheRecentDense_theOldSparse_andTheBeginning(t *testing.T) {
	t.Parallel()
	b := session.VersionBounds{Interval: 5 * time.Minute, Keep: 50, Bytes: 1 << 30}
	began := time.UnixMilli(1_700_000_000_000)
	var list []flows.Version
	const many = 20_000
	for i := range many {
		v := flows.Version{ID: fmt.Sprint(i), At: began.Add(time.Duration(i) * b.Interval), StoredBytes: 1000}
		var gone []string
		list, gone = b.Thin(append([]flows.Version{v}, list...))
		if i >= b.Keep && len(gone) != 1 {
			t.Fatalf("at %d: %v went", i, gone)
		}
	}
	if len(list) != b.Keep || list[len(list)-1].ID != "0" || list[0].ID != fmt.Sprint(many-1) {
		t.Fatalf("%d are left, from %s to %s", len(list), list[len(list)-1].ID, list[0].ID)
	}
	within := func(d time.Duration) (n int) {
		for i := range list {
			if list[0].At.Sub(list[i].At) <= d {
				n++
			}
		}
		return n
	}
	hour, day, week := within(time.Hour), within(24*time.Hour), within(7*24*time.Hour)
	if hour < 6 || day < 15 || week < 22 || week > 48 {
		t.Errorf("%d of the last hour, %d of the day, %d of the week", hour, day, week)
	}
	for i := 2; i < len(list)-1; i++ {
		if age, hole := list[0].At.Sub(list[i].At), list[i].At.Sub(list[i+1].At); hole > age {
			t.Errorf("behind version %d, %v old, is a hole of %v", i, age, hole)
		}
	}
}

func TestThin_keepsToItsBounds_takesNoNamedOne_andNeverTheNewest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := session.VersionBounds{Keep: rapid.IntRange(1, 5).Draw(t, "keep"), Bytes: rapid.IntRange(1, 100).Draw(t, "bytes")}
		at := time.UnixMilli(1_700_000_000_000)
		var list []flows.Version
		for i := range rapid.IntRange(0, 12).Draw(t, "versions") {
			v := flows.Version{ID: fmt.Sprint(i), At: at, StoredBytes: rapid.IntRange(1, 30).Draw(t, "size")}
			if rapid.Bool().Draw(t, "named") {
				v.Name = "named"
			}
			list = append(list, v)
			at = at.Add(-time.Duration(rapid.IntRange(-10, 1000).Draw(t, "ms before")) * time.Millisecond)
		}
		before := slices.Clone(list)
		kept, gone := b.Thin(list)
		if !reflect.DeepEqual(list, before) || len(kept)+len(gone) != len(list) {
			t.Fatalf("%v: kept %v, gone %v", before, kept, gone)
		}
		timed, bytes := 0, 0
		for i, v := range kept {
			bytes += v.StoredBytes
			if v.Name == "" && i > 0 {
				timed++
			}
		}
		for i, v := range list {
			if slices.Contains(gone, v.ID) && (v.Name != "" || i == 0) {
				t.Fatalf("%+v went", v)
			}
		}
		if timed > 0 && (timed > b.Keep || bytes > b.Bytes) {
			t.Fatalf("%d versions without a name, %d bytes are left under %+v", timed, bytes, b)
		}
	})
}

func TestNamedFit_countsWhatHasAName(t *testing.T) {
	t.Parallel()
	b := session.VersionBounds{Keep: 2, Bytes: 100}
	v := func(name string, bytes int) flows.Version { return flows.Version{Name: name, StoredBytes: bytes} }
	for _, c := range []struct {
		list []flows.Version
		fits bool
	}{
		{nil, true},
		{[]flows.Version{v("a", 25), v("b", 25), v("", 500)}, true},
		{[]flows.Version{v("a", 25), v("b", 26)}, false},
		{[]flows.Version{v("a", 1), v("b", 1), v("c", 1)}, false},
	} {
		if got := b.NamedFit(c.list); got != c.fits {
			t.Errorf("%+v: %v", c.list, got)
		}
	}
}

// A flow of 500 nodes, about 130 KiB, of which 21 KiB are kept.
func BenchmarkPack_500Nodes(b *testing.B) {
	var doc strings.Builder
	doc.WriteString(`{"nodes":{`)
	for i := range 500 {
		fmt.Fprintf(&doc, `%s"node-%x":{"type":"agent","position":{"x":%d.%d,"y":%d},"data":{"label":"Node %d"}}`, strings.Repeat(",", min(i, 1)), i*7919, i*37%1900, i%100, i*61%1300, i)
	}
	doc.WriteString(`}}`)
	json := []byte(doc.String())
	b.SetBytes(int64(len(json)))
	b.ReportAllocs()
	for b.Loop() {
		session.Pack(json)
	}
}
