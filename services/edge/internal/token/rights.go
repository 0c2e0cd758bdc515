package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"helix/shared/flows"
)

// Rights are what a token allows, by flow. The zero Rights allow nothing.
type Rights []Grant

// Grant gives rights to the flows of one pattern: a flow id, or a beginning of flow ids and a "*".
type Grant struct {
	flows  string // without the "*"
	prefix bool
	may    flows.Right
}

// May says whether the rights hold for the flow.
func (r Rights) May(right flows.Right, id flows.ID) bool {
	var have flows.Right
	for i := range r {
		if r[i].covers(id) {
			have |= r[i].may
		}
	}
	return right != 0 && have&right == right
}

func (g *Grant) covers(id flows.ID) bool {
	if g.prefix {
		return strings.HasPrefix(string(id), g.flows)
	}
	return string(id) == g.flows
}

// Pattern is what the grant is for, as it is written.
func (g *Grant) Pattern() string {
	if g.prefix {
		return g.flows + "*"
	}
	return g.flows
}

// NewGrant makes a grant of one pattern and the words of its rights.
//
// A pattern is compared byte by byte with the id as flows.ParseID gives it, so one that no such id can
// match is a mistake of who wrote it, and refused: better than a right that silently does not hold.
func NewGrant(pattern string, may ...string) (Grant, error) {
	text, prefix := strings.CutSuffix(pattern, "*")
	g := Grant{flows: text, prefix: prefix}
	switch {
	case strings.Contains(text, "*"):
		return g, fmt.Errorf("the pattern %.300q has a * before its end", pattern)
	case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError):
		return g, fmt.Errorf("the pattern %.300q is not UTF-8", pattern) // JSON makes a U+FFFD of what is not
	case strings.IndexFunc(text, unicode.IsControl) >= 0:
		return g, fmt.Errorf("the pattern %.300q has a control character", pattern)
	case len(text) > flows.MaxIDBytes:
		return g, fmt.Errorf("the pattern %.40q… is longer than a flow id", pattern)
	case strings.TrimLeftFunc(text, unicode.IsSpace) != text || (!prefix && strings.TrimSpace(text) != text):
		return g, fmt.Errorf("the pattern %.300q has white space around it, as no flow id has", pattern)
	case text == "" && !prefix:
		return g, errors.New("a pattern is empty; * is every flow")
	case len(may) == 0:
		return g, fmt.Errorf("the pattern %.300q gives no rights", pattern)
	}
	for _, word := range may {
		right, ok := flows.ParseRight(word)
		if !ok {
			return g, fmt.Errorf("%.40q is no right; there are read, write and manage", word)
		}
		g.may |= right
	}
	return g, nil
}

// ParseRights reads the claim that tells the rights:
//
//	{"rights": [{"flows": "team-7/*", "may": ["read", "write"]}, {"flows": "plan", "may": ["read"]}]}
//
// It is strict: whatever else stands there is refused, for it was meant to say something.
func ParseRights(claim []byte) (Rights, error) {
	if !utf8.Valid(claim) {
		return nil, errors.New("the claim is not UTF-8")
	}
	members, err := object(claim, "rights")
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := decode(members["rights"], &list); err != nil || list == nil {
		return nil, errors.New("rights must be a list")
	}
	rights := make(Rights, 0, len(list))
	for _, one := range list {
		g, err := parseGrant(one)
		if err != nil {
			return nil, err
		}
		rights = append(rights, g)
	}
	return rights, nil
}

func parseGrant(raw []byte) (Grant, error) {
	members, err := object(raw, "flows", "may")
	if err != nil {
		return Grant{}, err
	}
	var pattern *string // a pointer tells null from ""
	if err := decode(members["flows"], &pattern); err != nil || pattern == nil {
		return Grant{}, errors.New("flows must be a string")
	}
	var words []*string
	if err := decode(members["may"], &words); err != nil {
		return Grant{}, errors.New("may must be a list of rights")
	}
	may := make([]string, len(words))
	for i, word := range words {
		if word == nil {
			return Grant{}, errors.New("may must be a list of rights")
		}
		may[i] = *word
	}
	return NewGrant(*pattern, may...)
}

// decode reads a member; one that is left out is an error.
func decode(raw json.RawMessage, into any) error {
	if raw == nil {
		return errors.New("it is missing")
	}
	return json.Unmarshal(raw, into)
}

// object takes a JSON object with no members but these apart. encoding/json alone would take "Rights" for
// "rights", the last one of two, and pass over what it does not know.
func object(raw []byte, names ...string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("there must be an object with %s", strings.Join(names, " and "))
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("the member %.40q stands there twice", name)
		}
		known := false
		for _, n := range names {
			known = known || n == name
		}
		if !known {
			return nil, fmt.Errorf("unknown member %.40q beside %s", name, strings.Join(names, " and "))
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it goes on after its object")
	}
	return members, nil
}

// MarshalJSON writes the claim that ParseRights reads.
func (r Rights) MarshalJSON() ([]byte, error) {
	type grant struct {
		Flows string   `json:"flows"`
		May   []string `json:"may"`
	}
	list := make([]grant, len(r))
	for i := range r {
		list[i] = grant{r[i].Pattern(), r[i].may.Words()}
	}
	return json.Marshal(map[string]any{"rights": list})
}
