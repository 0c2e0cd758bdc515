package flows_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"helix/shared/flows"
)

func TestRight_isReadByItsWord(t *testing.T) {
	t.Parallel()
	var all flows.Right
	for _, want := range []flows.Right{flows.Read, flows.Write, flows.Manage} {
		got, ok := flows.ParseRight(want.String())
		if !ok || got != want {
			t.Errorf("%s is %v, %v", want, got, ok)
		}
		all |= want
	}
	if all.String() != "read,write,manage" {
		t.Error(all)
	}
	for _, word := range []string{"", "admin", "Read", "read,write"} {
		if right, ok := flows.ParseRight(word); ok {
			t.Errorf("%q is %v", word, right)
		}
	}
}

// shelf is a list of flows that changed at certain times, as the store would give it.
type shelf struct {
	flows.Sessions
	places []flows.Place
	asked  int
}

func (s *shelf) List(_ context.Context, after flows.Place, limit int) (list []flows.Summary, next flows.Place, err error) {
	s.asked++
	for _, p := range s.places {
		behind := after == (flows.Place{}) || p.Changed < after.Changed || (p.Changed == after.Changed && p.Flow < after.Flow)
		if !behind {
			continue
		}
		if len(list) == limit {
			return list, next, nil
		}
		list, next = append(list, flows.Summary{Flow: p.Flow, Changed: p.Changed}), p
	}
	return list, flows.Place{}, nil
}

// reader may read the flows that begin with "open".
type reader struct{ flows.Anybody }

func (reader) UserID() string { return "ann" }
func (reader) May(right flows.Right, id flows.ID) bool {
	return right == flows.Read && strings.HasPrefix(string(id), "open")
}

// Whatever stands between the flows that one may read, the pages show those in order, each once, and their
// cursors name no other.
func TestListReadable_showsWhatOneMayRead_andTellsNothingOfTheRest(t *testing.T) {
	t.Parallel()
	many := func(n int, name string, from int64) (places []flows.Place) {
		for i := range n {
			places = append(places, flows.Place{Changed: from - int64(i), Flow: flows.ID(fmt.Sprintf("%s-%05d", name, i))})
		}
		return places
	}
	tied := []flows.Place{{Changed: 10, Flow: "secret-z"}, {Changed: 10, Flow: "open-y"}, {Changed: 10, Flow: "open-x"}, {Changed: 10, Flow: "secret-a"}, {Changed: 9, Flow: "open-z"}}
	cases := map[string][]flows.Place{
		"nothing":         nil,
		"all secret":      many(300, "secret", 1_000_000),
		"all open":        many(300, "open", 1_000_000),
		"ties":            tied,
		"secrets between": slices.Concat(many(150, "secret", 1_000_000), many(3, "open", 900_000), many(7, "secret", 800_000), many(205, "open", 700_000)),
		"a long way":      slices.Concat(many(1, "open", 1_000_000), many(7_000, "secret", 900_000), many(2, "open", 800_000)),
		"a long way tied": slices.Concat(many(5_000, "secret", 900_000), []flows.Place{{Changed: 895_001, Flow: "open-a"}, {Changed: 895_000, Flow: "open-b"}}),
	}
	for name, places := range cases {
		for _, limit := range []int{0, 1, 2, 7, 1000} {
			s := &shelf{places: places}
			f := flows.New(s, flows.DefaultLimits)
			var want, got []flows.ID
			for _, p := range places {
				if (reader{}).May(flows.Read, p.Flow) {
					want = append(want, p.Flow)
				}
			}
			cursor := ""
			for pages := 0; ; pages++ {
				s.asked = 0
				l, err := f.ListReadable(context.Background(), reader{}, cursor, limit)
				if err != nil || pages > len(places)+1 {
					t.Fatalf("%s, by %d: page %d, %v", name, limit, pages, err)
				}
				if s.asked > 20 || len(l.Flows) > max(limit, flows.DefaultPage) || (limit > 0 && len(l.Flows) > limit) {
					t.Errorf("%s, by %d: a page of %d flows was asked for %d times", name, limit, len(l.Flows), s.asked)
				}
				for _, one := range l.Flows {
					got = append(got, one.Flow)
				}
				if text, err := base64.RawURLEncoding.DecodeString(l.Next); err != nil || strings.Contains(string(text), "secret") {
					t.Fatalf("%s, by %d: the cursor tells %q, %v", name, limit, text, err)
				}
				if l.Next == "" {
					break
				}
				cursor = l.Next
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, by %d: got %d flows, want %d: %.200q", name, limit, len(got), len(want), got)
			}
		}
	}
}

func TestListReadable_refusesWhatListRefuses(t *testing.T) {
	t.Parallel()
	f := flows.New(&shelf{}, flows.DefaultLimits)
	for _, who := range []flows.Identity{reader{}, flows.Anybody{}} {
		if _, err := f.ListReadable(context.Background(), who, "no cursor", 0); !errors.Is(err, flows.ErrInvalidPageQuery) {
			t.Error(err)
		}
		if _, err := f.ListReadable(context.Background(), who, "", flows.MaxPage+1); !errors.Is(err, flows.ErrInvalidPageQuery) {
			t.Error(err)
		}
	}
	if _, err := flows.New(failing{}, flows.DefaultLimits).ListReadable(context.Background(), reader{}, "", 0); !errors.Is(err, flows.ErrUnavailable) {
		t.Error(err)
	}
}
