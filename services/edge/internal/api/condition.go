package api

import (
	"net/http"
	"strconv"
	"strings"

	"helix/shared/flows"
)

// entityTag is the strong validator of a document: the same position is the same document, to the byte.
func entityTag(p flows.Position) string {
	return `"` + p.Epoch + "-" + strconv.FormatUint(p.Seq, 10) + `"`
}

// conditions are a request's If-Match and If-None-Match (RFC 9110, 13.1).
type conditions struct {
	match, noneMatch tags
}

// tags are the entity tags of one header.
type tags struct {
	given bool
	any   bool // *
	list  []string
}

func conditionsOf(r *http.Request) (c conditions, err error) {
	var ok, okToo bool
	c.match, ok = parseTags(r.Header.Values("If-Match"))
	c.noneMatch, okToo = parseTags(r.Header.Values("If-None-Match"))
	if !ok || !okToo {
		return conditions{}, errCondition
	}
	return c, nil
}

// parseTags reads a list of entity tags, or *. Tags keep their quotes, and W/ where they are weak.
func parseTags(values []string) (t tags, ok bool) {
	if len(values) == 0 {
		return tags{}, true
	}
	rest := strings.Trim(strings.Join(values, ","), " \t")
	t.given = true
	if rest == "*" {
		t.any = true
		return t, true
	}
	for rest = strings.TrimLeft(rest, ", \t"); rest != ""; rest = strings.TrimLeft(rest, ", \t") {
		weak := ""
		if strings.HasPrefix(rest, "W/") {
			weak, rest = "W/", rest[len("W/"):]
		}
		if rest == "" || rest[0] != '"' {
			return tags{}, false
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return tags{}, false
		}
		t.list = append(t.list, weak+rest[:end+2])
		if rest = strings.TrimLeft(rest[end+2:], " \t"); rest != "" && rest[0] != ',' {
			return tags{}, false
		}
	}
	return t, len(t.list) > 0
}

// matches says whether the tags name the document at p; the zero Position is none. weak compares as
// If-None-Match does, else a weak tag matches nothing.
func (t tags) matches(p flows.Position, weak bool) bool {
	if p == (flows.Position{}) {
		return false
	}
	if t.any {
		return true
	}
	for _, tag := range t.list {
		if weak {
			tag = strings.TrimPrefix(tag, "W/")
		}
		if tag == entityTag(p) {
			return true
		}
	}
	return false
}

func (c conditions) given() bool { return c.match.given || c.noneMatch.given }

// allow is the condition under which something may be changed; nil: any.
func (c conditions) allow() flows.Condition {
	if !c.given() {
		return nil
	}
	return func(p flows.Position) bool {
		return (!c.match.given || c.match.matches(p, false)) && !c.noneMatch.matches(p, true)
	}
}
