package flows

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"helix/shared/document"
)

// Documents as a whole, for who is in no session: list, read, replace, delete.

// The refusals of these verbs.
var (
	ErrNoDocument       = &Error{Code: "no_document", Reason: "no_document", Sentence: "the flow has no document"}
	ErrPrecondition     = &Error{Code: "precondition_failed", Reason: "precondition_failed", Sentence: "the document is not in the state that the request asks for"}
	ErrConflict         = &Error{Code: "conflict", Reason: "conflict", Sentence: "others change the flow too fast for this; try again, or send what is different as a change"}
	ErrDocumentNotJSON  = &Error{Code: "invalid_body", Reason: "invalid_body", Sentence: "the document is not valid JSON"}
	ErrInvalidDocument  = &Error{Code: "invalid_document", Reason: "invalid_document", Sentence: "a document must be a JSON object"}
	ErrDocumentTooDeep  = &Error{Code: "document_too_deep", Reason: "document_too_deep", Sentence: "the document is nested too deeply"}
	ErrNullMember       = &Error{Code: "null_member", Reason: "null_member", Sentence: "no member of a document can be null: leave it out"}
	ErrInvalidPageQuery = &Error{Code: "invalid_query", Reason: "invalid_query", Sentence: fmt.Sprintf("limit must be a number from 1 to %d, and cursor the next_cursor of another page", MaxPage)}
)

// Bounds of a page of the list.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// Document is a flow's document at its newest change.
type Document struct {
	Position
	JSON      []byte
	UpdatedAt time.Time // of that change; zero: not known
}

// Summary is what a list shows of a flow that has a document.
type Summary struct {
	Flow      ID
	Position            // of its newest change
	CreatedAt time.Time // of its first change; zero: not known
	UpdatedAt time.Time // of its newest; zero: not known

	// What the document holds, as of the change CountedSeq: it may lag behind.
	Title      string
	Nodes      int
	Edges      int
	CountedSeq uint64

	Active      bool // it has a session
	ClientCount int  // in the whole cluster

	// Changed is its place in the list: ms since 1970. Only List fills it in.
	Changed int64
}

// UpToDate says that the title and the counts are those of the newest change.
func (s *Summary) UpToDate() bool { return s.CountedSeq == s.Seq }

// Place is a place in the list of flows: newest change first, and of those of one millisecond the last
// by id. The zero Place is before all; one with no Flow is behind all of its millisecond.
type Place struct {
	Changed int64 // ms since 1970
	Flow    ID
}

// Cursor is the place as clients hand it back.
func (p Place) Cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.Changed, 10) + " " + string(p.Flow)))
}

func parseCursor(cursor string) (Place, error) {
	if cursor == "" {
		return Place{}, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return Place{}, ErrInvalidPageQuery.Because(err)
	}
	changed, flow, _ := strings.Cut(string(text), " ")
	ms, err := strconv.ParseInt(changed, 10, 64)
	if err != nil || ms < 0 {
		return Place{}, ErrInvalidPageQuery.Because(err)
	}
	if flow == "" && ms > 0 { // a nameless place
		return Place{Changed: ms}, nil
	}
	id, err := ParseID(flow)
	if err != nil {
		return Place{}, ErrInvalidPageQuery.Because(err)
	}
	return Place{Changed: ms, Flow: id}, nil
}

// Listing is one page of the list.
type Listing struct {
	Flows []Summary
	Next  string // cursor of the next page; empty: this is the last
}

// Condition is asked with where a flow's document is, the zero Position where there is none; false
// refuses what was asked for with ErrPrecondition. What it allows is carried out in exactly that state.
type Condition func(at Position) bool

// Replaced says what came of replacing a document.
type Replaced struct {
	Position
	Created bool // there was none
	Changed bool // else the document was this one already
}

// Documents is what the boundary needs for these verbs.
type Documents interface {
	// List gives up to limit flows that come behind a place in the list, and where the next page begins;
	// the zero Place: there is none.
	List(ctx context.Context, after Place, limit int) (list []Summary, next Place, err error)
	// Summary tells of one flow; ErrNoDocument.
	Summary(ctx context.Context, id ID) (Summary, error)
	// Document reads one flow's document; ErrNoDocument.
	Document(ctx context.Context, id ID) (Document, error)
	// Replace makes a document into another by one change, which members see like any other.
	// ErrPrecondition, ErrDocumentTooLarge, ErrConflict. A nil Condition allows everything.
	Replace(ctx context.Context, id ID, to *document.Document, only Condition) (Replaced, error)
	// Delete removes a flow's document and ends its session everywhere. ErrPrecondition; ErrNoDocument
	// where there was neither. A nil Condition allows everything.
	Delete(ctx context.Context, id ID, only Condition) error
}

// List gives one page of the flows that have a document, newest change first. It is no snapshot: a flow
// that nobody changes while its pages are read is in one of them, once; one that is changed meanwhile
// goes to the front, and may be missed. cursor is empty for the first page; limit 0 is DefaultPage.
func (f *Flows) List(ctx context.Context, cursor string, limit int) (Listing, error) {
	after, limit, err := pageOf(cursor, limit)
	if err != nil {
		return Listing{}, err
	}
	list, next, err := f.sessions.List(ctx, after, limit)
	if err != nil {
		return Listing{}, mask(err)
	}
	l := Listing{Flows: list}
	if next != (Place{}) {
		l.Next = next.Cursor()
	}
	return l, nil
}

func pageOf(cursor string, limit int) (Place, int, error) {
	after, err := parseCursor(cursor)
	if err != nil {
		return Place{}, 0, err
	}
	if limit == 0 {
		limit = DefaultPage
	}
	if limit < 0 || limit > MaxPage {
		return Place{}, 0, ErrInvalidPageQuery
	}
	return after, limit, nil
}

// mostLooked bounds how many flows one page of ListReadable looks at.
const mostLooked = 2 * MaxPage

// ListReadable is List of the flows that who may read, and tells nothing of others, in cursors neither. A
// page may have fewer flows than limit, even none, and another one behind it.
func (f *Flows) ListReadable(ctx context.Context, who Identity, cursor string, limit int) (Listing, error) {
	if who == (Anybody{}) {
		return f.List(ctx, cursor, limit)
	}
	after, limit, err := pageOf(cursor, limit)
	if err != nil {
		return Listing{}, err
	}
	began := after
	var l Listing
	for looked := 0; looked < mostLooked; looked += max(limit, DefaultPage) {
		list, next, err := f.sessions.List(ctx, after, max(limit, DefaultPage))
		if err != nil {
			return Listing{}, mask(err)
		}
		for i := range list {
			if !who.May(Read, list[i].Flow) {
				continue
			}
			l.Flows = append(l.Flows, list[i])
			l.Next = Place{Changed: list[i].Changed, Flow: list[i].Flow}.Cursor()
			if len(l.Flows) == limit {
				return l, nil
			}
		}
		if next == (Place{}) {
			l.Next = ""
			return l, nil
		}
		after = next
	}
	if len(l.Flows) == 0 {
		l.Next = after.nameless(began).Cursor()
	}
	return l, nil
}

// nameless is a place for p, reached from began without a flow to be shown in between, that names no flow:
// before all of p's ms, for the rest of them may be shown. Where that leads nowhere it is behind them.
func (p Place) nameless(began Place) Place {
	if began == (Place{}) || p.Changed+1 < began.Changed {
		return Place{Changed: p.Changed + 1}
	}
	return Place{Changed: p.Changed}
}

// Summary tells of one flow that has a document.
func (f *Flows) Summary(ctx context.Context, rawID string) (Summary, error) {
	id, err := ParseID(rawID)
	if err != nil {
		return Summary{}, err
	}
	s, err := f.sessions.Summary(ctx, id)
	return s, mask(err)
}

// Document reads a flow's document at its newest change.
func (f *Flows) Document(ctx context.Context, rawID string) (Document, error) {
	id, err := ParseID(rawID)
	if err != nil {
		return Document{}, err
	}
	d, err := f.sessions.Document(ctx, id)
	return d, mask(err)
}

// Replace puts a document, JSON as its sender wrote it, in the place of the flow's own. A nil Condition
// allows everything.
func (f *Flows) Replace(ctx context.Context, rawID string, json []byte, only Condition) (Replaced, error) {
	id, err := ParseID(rawID)
	if err != nil {
		return Replaced{}, err
	}
	to, err := f.parseDocument(json)
	if err != nil {
		return Replaced{}, err
	}
	r, err := f.sessions.Replace(ctx, id, to, only)
	return r, mask(err)
}

// parseDocument reads a document that somebody puts. What it lets pass a merge patch can express, and
// a text frame can carry. Its size is for the sessions to judge: spaces do not count.
func (f *Flows) parseDocument(json []byte) (*document.Document, error) {
	if !utf8.Valid(json) {
		return nil, ErrDocumentNotJSON.saying("the document is not UTF-8")
	}
	d, err := document.Parse(json, document.Limits{MaxDepth: f.limits.MaxDepth})
	switch {
	case errors.Is(err, document.ErrNotObject):
		return nil, ErrInvalidDocument
	case errors.Is(err, document.ErrTooDeep):
		return nil, ErrDocumentTooDeep
	case err != nil:
		return nil, ErrDocumentNotJSON.saying(fmt.Sprintf("the document is %v", errors.Unwrap(err)))
	}
	if at := d.NullMember(); at != "" {
		return nil, ErrNullMember.saying(fmt.Sprintf("the member %.200q is null, which no member of a document can be: leave it out", at))
	}
	return d, nil
}

// Delete removes a flow's document and ends its session everywhere. A nil Condition allows everything.
func (f *Flows) Delete(ctx context.Context, rawID string, only Condition) error {
	id, err := ParseID(rawID)
	if err != nil {
		return err
	}
	return mask(f.sessions.Delete(ctx, id, only))
}

// saying gives a copy of e that tells more.
func (e *Error) saying(sentence string) *Error {
	c := *e
	c.Sentence = sentence
	return &c
}
