package flows

import (
	"context"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Profile is what a client's presence tells of who it is.
type Profile struct {
	ClientID string
	UserID   string
	Name     string
	Color    string
}

// Members is what the boundary needs to tell who is in flows.
type Members interface {
	// Members gives of each flow some of the clients that take part in its presence, up to most: always the
	// same ones while nobody comes or goes. A flow without any has none.
	Members(ctx context.Context, ids []ID, most int) ([][]Profile, error)
}

// ShownMembers is how many of a flow's members a list shows.
const ShownMembers = 5

// Members tells of each flow who is in it, ShownMembers at most.
func (f *Flows) Members(ctx context.Context, ids []ID) ([][]Profile, error) {
	members, err := f.sessions.Members(ctx, ids, ShownMembers)
	return members, mask(err)
}

// ProfileOf reads a presence, as CheckPresence lets it pass. A token's user_id and user_name come before
// what the client tells itself; what is no string is passed over, and what is long is cut.
func ProfileOf(clientID string, meta []byte) Profile {
	var told map[string]json.RawMessage
	_ = json.Unmarshal(meta, &told) // what is no object tells nothing
	text := func(members ...string) string {
		for _, member := range members {
			var s string
			if json.Unmarshal(told[member], &s) == nil && s != "" {
				return cut(s, MaxAuthorNameBytes)
			}
		}
		return ""
	}
	return Profile{ClientID: clientID, UserID: text("user_id"), Name: text("user_name", "name"), Color: text("color", "colour")}
}

// cut shortens a text to so many bytes, between two characters.
func cut(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
