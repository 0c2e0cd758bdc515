package token_test

import (
	"encoding/json"
	"strings"
	"testing"

	"helix/edge/internal/token"
	"helix/shared/flows"
)

func TestRights_holdForTheFlowsOfTheirPattern_andNoOthers(t *testing.T) {
	t.Parallel()
	const claim = `{"rights": [
		{"flows": "team-7/*", "may": ["read", "write"]}, {"flows": "plan", "may": ["read"]}, {"flows": "plan", "may": ["manage"]},
		{"flows": "a *", "may": ["read"]}, {"flows": "caf\u00e9", "may": ["read"]}, {"flows": "\ud83c\udfa8*", "may": ["read"]}]}`
	rights, err := token.ParseRights([]byte(claim))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		raw  string // as a client writes it; what counts is what flows.ParseID makes of it
		want string
	}{
		{"team-7/a", "read,write"}, {"team-7/", "read,write"}, {"team-7/a/b *", "read,write"}, {"team-7/../team-8/a", "read,write"},
		{"  team-7/a ", "read,write"}, {"\u00a0team-7/a\u3000", "read,write"},
		{"team-7", ""}, {"team-77/a", ""}, {"Team-7/a", ""}, {"x team-7/a", ""}, {"team-8/a", ""}, {"\u200bteam-7/a", ""}, {"team\u20107/a", ""}, {"ｔeam-7/a", ""},
		{"plan", "read,manage"}, {" plan ", "read,manage"}, {"plan2", ""}, {"plan/x", ""}, {"pla", ""}, {"plan*", ""},
		{"a b", "read"}, {"a ", ""}, {"ab", ""},
		{"caf\u00e9", "read"}, {"cafe\u0301", ""}, {"cafe", ""},
		{"🎨", "read"}, {"🎨x", "read"}, {"🎩", ""},
	}
	for _, c := range cases {
		id, err := flows.ParseID(c.raw)
		if err != nil {
			t.Fatalf("%q: %v", c.raw, err)
		}
		var may flows.Right
		for _, right := range []flows.Right{flows.Read, flows.Write, flows.Manage} {
			if rights.May(right, id) {
				may |= right
			}
		}
		if may.String() != c.want {
			t.Errorf("%q may %q, want %q", c.raw, may, c.want)
		}
	}
	if rights.May(flows.Read|flows.Manage, "team-7/a") || !rights.May(flows.Read|flows.Manage, "plan") || rights.May(0, "plan") || token.Rights(nil).May(flows.Read, "plan") {
		t.Error("several rights are not each of them, or none is a right")
	}
}

func TestParseRights_refusesWhateverElseStandsThere(t *testing.T) {
	t.Parallel()
	grant := func(pattern, may string) string {
		return `{"rights":[{"flows":` + pattern + `,"may":` + may + `}]}`
	}
	cases := map[string]string{
		"no object":                    `[]`,
		"null":                         `null`,
		"no rights":                    `{}`,
		"rights of null":               `{"rights":null}`,
		"rights of an object":          `{"rights":{}}`,
		"another member":               `{"rights":[],"admin":true}`,
		"another spelling":             `{"Rights":[]}`,
		"rights twice":                 `{"rights":[{"flows":"*","may":["read"]}],"rights":[]}`,
		"more behind it":               `{"rights":[]} {}`,
		"not UTF-8":                    "{\"rights\":[{\"flows\":\"a\xff\",\"may\":[\"read\"]}]}",
		"a grant of null":              `{"rights":[null]}`,
		"a grant of a string":          `{"rights":["*"]}`,
		"a grant with more":            `{"rights":[{"flows":"a","may":["read"],"not":["write"]}]}`,
		"a grant in capitals":          `{"rights":[{"Flows":"a","may":["read"]}]}`,
		"flows twice":                  `{"rights":[{"flows":"a","flows":"*","may":["read"]}]}`,
		"no flows":                     `{"rights":[{"may":["read"]}]}`,
		"no may":                       `{"rights":[{"flows":"a"}]}`,
		"may nothing":                  grant(`"a"`, `[]`),
		"may of a string":              grant(`"a"`, `"read"`),
		"may with null":                grant(`"a"`, `["read",null]`),
		"a right that is none":         grant(`"a"`, `["read","admin"]`),
		"a right in capitals":          grant(`"a"`, `["READ"]`),
		"all rights as a star":         grant(`"a"`, `["*"]`),
		"flows as a list":              grant(`["a"]`, `["read"]`),
		"flows of null":                grant(`null`, `["read"]`),
		"an empty pattern":             grant(`""`, `["read"]`),
		"a star inside":                grant(`"a*b"`, `["read"]`),
		"a star in front":              grant(`"*a"`, `["read"]`),
		"two stars":                    grant(`"a**"`, `["read"]`),
		"white space in front":         grant(`" a"`, `["read"]`),
		"white space behind":           grant(`"a "`, `["read"]`),
		"white space of Unicode":       grant(`"\u00a0a"`, `["read"]`),
		"white space before a star":    grant(`"\u3000*"`, `["read"]`),
		"a control character":          grant(`"a\u0000"`, `["read"]`),
		"a line end":                   grant(`"a\n*"`, `["read"]`),
		"half a surrogate pair":        grant(`"\ud83c*"`, `["read"]`),
		"longer than an id":            grant(`"`+strings.Repeat("x", 256)+`"`, `["read"]`),
		"a prefix longer than an id":   grant(`"`+strings.Repeat("x", 256)+`*"`, `["read"]`),
		"JSON that ends":               `{"rights":[{"flows":"a"`,
		"a second grant that is wrong": `{"rights":[{"flows":"a","may":["read"]},{"flows":"","may":["read"]}]}`,
	}
	for name, claim := range cases {
		if rights, err := token.ParseRights([]byte(claim)); err == nil {
			t.Errorf("%s: %s is taken as %v", name, claim, rights)
		}
	}
	for _, fine := range []string{`{"rights":[]}`, grant(`"*"`, `["read","read"]`), grant(`"`+strings.Repeat("x", 255)+`*"`, `["manage"]`)} {
		if _, err := token.ParseRights([]byte(fine)); err != nil {
			t.Errorf("%.60s: %v", fine, err)
		}
	}
}

// What is taken says exactly what stands there: written down it is the same rights, each of which stands in
// the text, and every flow that may be read has a pattern in it.
func FuzzParseRights(f *testing.F) {
	for _, seed := range []string{
		`{"rights": [{"flows": "team-7/*", "may": ["read", "write"]}, {"flows": "plan", "may": ["manage"]}]}`,
		`{"rights":[]}`, `{"rights":[{"flows":"a*b","may":["read"]}]}`, `{"Rights":[],"rights":null}`, `{"rights":[{"flows":"\ud83c","may":[]}]}`, `[{`, ``,
	} {
		f.Add([]byte(seed), "team-7/x")
	}
	f.Fuzz(func(t *testing.T, claim []byte, raw string) {
		rights, err := token.ParseRights(claim)
		if err != nil {
			return
		}
		text, err := json.Marshal(rights)
		if err != nil {
			t.Fatal(err)
		}
		again, err := token.ParseRights(text)
		if err != nil {
			t.Fatalf("%q was written as %q, which is refused: %v", claim, text, err)
		}
		id, err := flows.ParseID(raw)
		if err != nil {
			return
		}
		covered := false
		for i := range rights {
			p := rights[i].Pattern()
			covered = covered || p == string(id) || (strings.HasSuffix(p, "*") && strings.HasPrefix(string(id), p[:len(p)-1]))
		}
		for _, right := range []flows.Right{flows.Read, flows.Write, flows.Manage} {
			if rights.May(right, id) != again.May(right, id) || (rights.May(right, id) && (!covered || !strings.Contains(string(text), right.String()))) {
				t.Fatalf("%q: %s on %q is %v", claim, right, id, rights.May(right, id))
			}
		}
	})
}
