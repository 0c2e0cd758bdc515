package flows_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"helix/shared/flows"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", flows.MaxIDBytes)
	good := map[string]flows.ID{
		"a": "a", "  a ": "a", "\t\na\u00a0\u2003\u3000": "a", "<b>.#c d": "<b>.#c d", "Ablauf für Größe": "Ablauf für Größe",
		"流程": "流程", "a/b%41": "a/b%41", "{1}": "{1}", long: flows.ID(long), " " + long + " ": flows.ID(long),
	}
	for raw, want := range good {
		if got, err := flows.ParseID(raw); err != nil || got != want {
			t.Errorf("%q: %q, %v", raw, got, err)
		}
	}
	for _, raw := range []string{"", " ", "\u3000\u00a0", "a\x00b", "a\nb", "a\u0085b", "a\x7f", long + "x", "\xff", "a\xc3"} {
		if got, err := flows.ParseID(raw); !errors.Is(err, flows.ErrInvalidFlowID) {
			t.Errorf("%q: %q, %v", raw, got, err)
		}
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"a", " ü #1 ", "\u3000", "a\x00", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		id, err := flows.ParseID(raw)
		if err != nil {
			return
		}
		s := string(id)
		if s == "" || len(s) > flows.MaxIDBytes || strings.TrimSpace(s) != s || !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0 {
			t.Fatalf("%q gives %q", raw, id)
		}
		if again, err := flows.ParseID(s); err != nil || again != id {
			t.Fatalf("%q is not stable: %q, %v", id, again, err)
		}
	})
}

func TestCheckChange(t *testing.T) {
	t.Parallel()
	f := flows.New(nil, flows.Limits{MaxChangeBytes: 60, MaxDepth: 3})
	cases := []struct {
		changes string
		want    error
	}{
		{`{}`, nil}, {`{"a":{"b":[1]}}`, nil}, {`{"a":"[[[[{{{{\"[[[["}`, nil},
		{`{"a":{"b":[[]]}}`, flows.ErrChangeTooDeep}, {`{"a":{"b":{"c":{}}}}`, flows.ErrChangeTooDeep},
		{`[]`, flows.ErrInvalidChange}, {`null`, flows.ErrInvalidChange}, {`7`, flows.ErrInvalidChange}, {`"{}"`, flows.ErrInvalidChange}, {``, flows.ErrInvalidChange},
		{`{"a":"` + strings.Repeat("x", 60) + `"}`, flows.ErrChangeTooLarge},
	}
	for _, c := range cases {
		if err := f.CheckChange([]byte(c.changes)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.changes, err, c.want)
		}
	}
}

// failing is a session manager that fails in a way that no client should hear of.
type failing struct{ flows.Sessions }

var errSecret = errors.New("dial 10.0.0.7: password wrong")

func (failing) Status(context.Context, flows.ID) (flows.Status, error) {
	return flows.Status{}, errSecret
}
func (failing) Active(context.Context) ([]flows.Status, error) { return nil, errSecret }
func (failing) Close(context.Context, flows.ID) (int, error)   { return 0, errSecret }
func (failing) Change(context.Context, flows.ID, flows.Change) (flows.Receipt, error) {
	return flows.Receipt{}, errSecret
}

func TestFlows_maskWhatFailedInside(t *testing.T) {
	t.Parallel()
	f, ctx := flows.New(failing{}, flows.DefaultLimits), context.Background()
	_, status := f.Status(ctx, "f")
	_, active := f.ActiveSessions(ctx)
	_, closed := f.ForceClose(ctx, "f")
	_, changed := f.Change(ctx, "f", flows.Change{Changes: []byte(`{}`)})
	for name, err := range map[string]error{"status": status, "active": active, "close": closed, "change": changed} {
		if !errors.Is(err, flows.ErrUnavailable) || !errors.Is(err, errSecret) {
			t.Errorf("%s: %v", name, err)
		}
		if e := flows.AsError(err); strings.Contains(e.Sentence+e.Reason+e.Code, "password") {
			t.Errorf("%s tells a client %q", name, e.Sentence)
		}
	}
}

func TestFlows_refuseAnInvalidID_inEveryVerb(t *testing.T) {
	t.Parallel()
	f, ctx := flows.New(nil, flows.DefaultLimits), context.Background()
	_, join := f.Join(" ", flows.JoinOptions{}, nil)
	_, status := f.Status(ctx, " ")
	_, closed := f.ForceClose(ctx, " ")
	_, changed := f.Change(ctx, " ", flows.Change{Changes: []byte(`{}`)})
	for name, err := range map[string]error{"join": join, "status": status, "close": closed, "change": changed} {
		if !errors.Is(err, flows.ErrInvalidFlowID) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Join("f", flows.JoinOptions{ClientID: strings.Repeat("x", flows.MaxClientIDBytes+1)}, nil); !errors.Is(err, flows.ErrInvalidParams) {
		t.Errorf("a client id that is too long: %v", err)
	}
}
