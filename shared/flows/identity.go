package flows

import "strings"

// Right is something that one may do with a flow. No right brings another.
type Right uint8

// The rights. They combine with |.
const (
	Read   Right = 1 << iota // join, hear what members hear, read the document, see the flow in lists
	Write                    // change the flow
	Manage                   // end its session, delete its document
)

var rightWords = []string{"read", "write", "manage"}

// ParseRight reads one right's word.
func ParseRight(word string) (Right, bool) {
	for i, w := range rightWords {
		if w == word {
			return 1 << i, true
		}
	}
	return 0, false
}

// Words are the words of the rights that r combines.
func (r Right) Words() []string {
	var words []string
	for i, w := range rightWords {
		if r&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return words
}

func (r Right) String() string { return strings.Join(r.Words(), ",") }

// Identity is who asks, and what they may do. It does not change, and is safe for concurrent use.
type Identity interface {
	// UserID names who asks; empty where nobody was asked for it.
	UserID() string
	// Name is what people call them; it may be empty.
	Name() string
	// May says whether they have the right to the flow.
	May(Right, ID) bool
}

// Anybody is who asks where everybody may do everything.
type Anybody struct{}

// UserID implements Identity.
func (Anybody) UserID() string { return "" }

// Name implements Identity.
func (Anybody) Name() string { return "" }

// May implements Identity.
func (Anybody) May(Right, ID) bool { return true }

// The refusals of who is not known, beside ErrUnauthorized, which is for who is.
var (
	ErrUnauthenticated = &Error{Code: "unauthenticated", Reason: "unauthenticated", Sentence: "this needs a valid token"}
	ErrTokenExpired    = &Error{Code: "token_expired", Reason: "token_expired", Sentence: "the token has expired; come back with a fresh one"}
	// ErrKeysUnavailable is an ErrUnavailable: the token may be a good one.
	ErrKeysUnavailable = ErrUnavailable.saying("tokens cannot be verified now, for their keys cannot be fetched; try again")
)
