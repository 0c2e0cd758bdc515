package flows

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The refusals of versions.
var (
	ErrNoVersion          = &Error{Code: "no_version", Reason: "no_version", Sentence: "the flow has no such version: it was thinned out, removed, or never there"}
	ErrInvalidVersionName = &Error{Code: "invalid_name", Reason: "invalid_name", Sentence: fmt.Sprintf("a version's name has 1 to %d bytes after trimming and no control characters", MaxVersionNameBytes)}
	ErrVersionsFull       = &Error{Code: "too_many_versions", Reason: "too_many_versions", Sentence: "the flow has as many named versions as it may have; remove one first"}
)

// Bounds of versions.
const (
	MaxVersionNameBytes = 200
	MaxAuthors          = 10  // that a version tells
	MaxAuthorNameBytes  = 100 // of what a client is called
)

// Version is a flow's document as it was at one position, kept beside the present one.
type Version struct {
	ID       string
	Position           // that the document is of
	At       time.Time // of its newest change; of a version that was named: when it was
	// Number is its place in the list: it rises from version to version.
	Number uint64
	// Name that somebody gave it; empty: it was made by the clock, and may be thinned out.
	Name string
	// By is who changed the document since the version before, the last to do so first; at most MaxAuthors.
	By []Author

	// What the document holds.
	Title string
	Nodes int
	Edges int

	StoredBytes int // that it takes
}

// Author is who changed a document.
type Author struct {
	ClientID string
	UserID   string // of its token; empty: it had none
	Name     string // of its token, else as the client told it; empty: not known
}

// Versions is what the boundary needs for the versions of documents.
type Versions interface {
	// Versions gives up to limit versions with a lower number, newest first; 0: from the front. more says
	// whether there are others behind them.
	Versions(ctx context.Context, id ID, below uint64, limit int) (list []Version, more bool, err error)
	// Version gives a version with its document; ErrNoVersion.
	Version(ctx context.Context, id ID, version string) (Version, []byte, error)
	// NameVersion keeps the document as it is at its newest change; ErrNoDocument, ErrVersionsFull.
	NameVersion(ctx context.Context, id ID, name string) (Version, error)
	// RenameVersion gives a version another name; an empty one takes it away. ErrNoVersion, ErrVersionsFull.
	RenameVersion(ctx context.Context, id ID, version, name string) (Version, error)
	// RemoveVersion forgets a version; ErrNoVersion.
	RemoveVersion(ctx context.Context, id ID, version string) error
}

// VersionPage is one page of the versions of a flow.
type VersionPage struct {
	Versions []Version
	Next     string // cursor of the next page; empty: this is the last
}

// Versions gives one page of a flow's versions, newest first. A flow that has none, or no document, has an
// empty page. cursor is empty for the first page; limit 0 is DefaultPage.
func (f *Flows) Versions(ctx context.Context, rawID, cursor string, limit int) (VersionPage, error) {
	id, err := ParseID(rawID)
	if err != nil {
		return VersionPage{}, err
	}
	below, err := parseVersionCursor(cursor)
	if err != nil {
		return VersionPage{}, err
	}
	if limit == 0 {
		limit = DefaultPage
	}
	if limit < 0 || limit > MaxPage {
		return VersionPage{}, ErrInvalidPageQuery
	}
	list, more, err := f.sessions.Versions(ctx, id, below, limit)
	if err != nil {
		return VersionPage{}, mask(err)
	}
	page := VersionPage{Versions: list}
	if more && len(list) > 0 {
		page.Next = versionCursor(list[len(list)-1].Number)
	}
	return page, nil
}

func versionCursor(below uint64) string {
	return base64.RawURLEncoding.EncodeToString(strconv.AppendUint(nil, below, 10))
}

func parseVersionCursor(cursor string) (below uint64, err error) {
	if cursor == "" {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		below, err = strconv.ParseUint(string(text), 10, 64)
	}
	if err != nil || below == 0 {
		return 0, ErrInvalidPageQuery.Because(err)
	}
	return below, nil
}

// Version gives one version of a flow with its document.
func (f *Flows) Version(ctx context.Context, rawID, version string) (Version, []byte, error) {
	id, err := ParseID(rawID)
	if err != nil {
		return Version{}, nil, err
	}
	v, json, err := f.sessions.Version(ctx, id, version)
	return v, json, mask(err)
}

// NameVersion keeps the flow's document as it is at its newest change under a name.
func (f *Flows) NameVersion(ctx context.Context, rawID, name string) (Version, error) {
	id, err := ParseID(rawID)
	if err != nil {
		return Version{}, err
	}
	if name, err = versionName(name); err != nil {
		return Version{}, err
	}
	v, err := f.sessions.NameVersion(ctx, id, name)
	return v, mask(err)
}

// RenameVersion gives a version another name; nil takes its name away, and it is one of those that may be
// thinned out.
func (f *Flows) RenameVersion(ctx context.Context, rawID, version string, name *string) (Version, error) {
	id, err := ParseID(rawID)
	if err != nil {
		return Version{}, err
	}
	to := ""
	if name != nil {
		if to, err = versionName(*name); err != nil {
			return Version{}, err
		}
	}
	v, err := f.sessions.RenameVersion(ctx, id, version, to)
	return v, mask(err)
}

// RemoveVersion forgets a version of a flow.
func (f *Flows) RemoveVersion(ctx context.Context, rawID, version string) error {
	id, err := ParseID(rawID)
	if err != nil {
		return err
	}
	return mask(f.sessions.RemoveVersion(ctx, id, version))
}

func versionName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > MaxVersionNameBytes || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", ErrInvalidVersionName
	}
	return name, nil
}
