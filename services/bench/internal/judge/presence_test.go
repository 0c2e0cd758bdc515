package judge_test

import (
	"testing"

	"helix/bench/internal/judge"
)

func TestPresence_isKeptAsTheOfficialClientKeepsIt(t *testing.T) {
	t.Parallel()
	p := judge.NewPresence("ann")
	for _, err := range []error{
		p.State([]byte(`{"a":{"metas":[{"phx_ref":"1","x":1}]},"b":{"metas":[{"phx_ref":"2"},{"phx_ref":"3","x":2}]}}`)),
		p.Diff([]byte(`{"joins":{"a":{"metas":[{"phx_ref":"4","x":5}]}},"leaves":{"a":{"metas":[{"phx_ref":"1","x":1}]},"b":{"metas":[{"phx_ref":"2"}]}}}`)),
		p.Diff([]byte(`{"joins":{"c":{"metas":[{"phx_ref":"6"}]}},"leaves":{}}`)),
		p.Diff([]byte(`{"joins":{},"leaves":{"c":{"metas":[{"phx_ref":"6"}]}}}`)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if d := p.Differs(map[string]string{"a": `{"x":5}`, "b": `{"x":2}`}); d != "" {
		t.Error(d)
	}
}

func TestPresence_findsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]string{
		"a ghost":         `{"a":{"metas":[{"phx_ref":"1","x":1}]},"b":{"metas":[{"phx_ref":"2"}]}}`,
		"somebody hidden": `{}`,
		"twice":           `{"a":{"metas":[{"phx_ref":"1","x":1},{"phx_ref":"2","x":1}]}}`,
		"old news":        `{"a":{"metas":[{"phx_ref":"1","x":0}]}}`,
	} {
		p := judge.NewPresence("ann")
		if err := p.State([]byte(told)); err != nil {
			t.Fatal(err)
		}
		if p.Differs(map[string]string{"a": `{"x":1}`}) == "" {
			t.Errorf("%s is not found", name)
		}
	}
	p := judge.NewPresence("ann")
	if p.Differs(nil) == "" {
		t.Error("a client that was told nothing passes")
	}
	if p.Diff([]byte(`{"joins":{},"leaves":{}}`)) == nil {
		t.Error("a diff before the state passes")
	}
}
