package session

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"helix/shared/flows"
)

// Versions of a flow's document, kept beside the snapshot: a list, which is read and written as a whole,
// and the documents, each deflated by itself. (As patches against the next version they would take a tenth
// of that, but each could only be read through all the newer ones, and none be taken out by itself.)

// ErrGone says that a version is of a document that the flow has no more.
var ErrGone = errors.New("the flow's document is another by now")

// Versions is what Redis keeps of a flow's versions.
type Versions struct {
	Number uint64          // of the list: it rises whenever the list is written
	List   []flows.Version // newest first
	Head   Held            // where the flow is
	// Authors are the clients that were asked for, with what is known of them, in that order.
	Authors []flows.Author
}

// storedVersion is a version as the list has it.
type storedVersion struct {
	ID     string         `json:"id"`
	Epoch  string         `json:"epoch"`
	Seq    uint64         `json:"seq"`
	At     int64          `json:"at"` // ms
	Number uint64         `json:"number"`
	Name   string         `json:"name,omitempty"`
	By     []storedAuthor `json:"by,omitempty"`
	Title  string         `json:"title,omitempty"`
	Nodes  int            `json:"nodes"`
	Edges  int            `json:"edges"`
	Bytes  int            `json:"bytes"` // deflated
}

type storedAuthor struct {
	ClientID string `json:"c,omitempty"`
	UserID   string `json:"u,omitempty"`
	Name     string `json:"n,omitempty"`
}

// Versions reads the list of versions, and who these clients are.
func (f *Flow) Versions(ctx context.Context, clients ...string) (Versions, error) {
	args := make([]any, len(clients))
	for i, c := range clients {
		args[i] = c
	}
	reply, err := f.store.lanes.Run(ctx, versionsScript, f.versionKeys(), args...)
	if err != nil {
		return Versions{}, err
	}
	r := reader{values: asList(reply)}
	v := Versions{Number: uint64(r.integer())}
	if v.List, err = f.parseVersions(r.text()); err != nil {
		return Versions{}, err
	}
	v.Head = Held{Position: Position{Epoch: r.text(), Seq: uint64(r.integer())}, At: timeOf(r.integer())}
	for _, c := range clients {
		a := storedAuthor{}
		if _, told, ok := strings.Cut(r.text(), " "); ok {
			if err := json.Unmarshal([]byte(told), &a); err != nil {
				return Versions{}, fmt.Errorf("read an author of flow %q: %w", f.id, err)
			}
		}
		v.Authors = append(v.Authors, flows.Author{ClientID: c, UserID: a.UserID, Name: a.Name})
	}
	return v, r.failed("versions")
}

func (f *Flow) parseVersions(list string) ([]flows.Version, error) {
	if list == "" {
		return nil, nil
	}
	var stored []storedVersion
	if err := json.Unmarshal([]byte(list), &stored); err != nil {
		return nil, fmt.Errorf("read the versions of flow %q: %w", f.id, err)
	}
	versions := make([]flows.Version, len(stored))
	for i := range stored {
		s := &stored[i]
		v := flows.Version{
			ID: s.ID, Position: Position{Epoch: s.Epoch, Seq: s.Seq}, At: timeOf(s.At), Number: s.Number, Name: s.Name,
			Title: s.Title, Nodes: s.Nodes, Edges: s.Edges, StoredBytes: s.Bytes,
		}
		for _, a := range s.By {
			v.By = append(v.By, flows.Author(a))
		}
		versions[i] = v
	}
	return versions, nil
}

// WriteVersions writes the list in the place of the one with the number; ErrMoved says that there is another
// by now. gone are the ids that are not in it any more. added is the document, packed, of its first version,
// if that is new: ErrGone says that the flow has another document by now, or none.
func (f *Flow) WriteVersions(ctx context.Context, number uint64, list []flows.Version, gone []string, added []byte) (next uint64, err error) {
	stored := make([]storedVersion, len(list))
	for i := range list {
		v := &list[i]
		stored[i] = storedVersion{
			ID: v.ID, Epoch: v.Epoch, Seq: v.Seq, At: v.At.UnixMilli(), Number: v.Number, Name: v.Name,
			Title: v.Title, Nodes: v.Nodes, Edges: v.Edges, Bytes: v.StoredBytes,
		}
		for _, a := range v.By {
			stored[i].By = append(stored[i].By, storedAuthor(a))
		}
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return 0, fmt.Errorf("write the versions of flow %q: %w", f.id, err)
	}
	args := make([]any, 0, 8+len(gone))
	args = append(args, number, text, f.store.argRetention)
	if added != nil {
		args = append(args, list[0].Epoch, list[0].Seq, len(gone))
	} else {
		args = append(args, "", 0, len(gone))
	}
	for _, id := range gone {
		args = append(args, id)
	}
	if added != nil {
		args = append(args, list[0].ID, added)
	}
	reply, err := f.store.lanes.Run(ctx, keepScript, f.versionKeys(), args...)
	if err != nil {
		return 0, err
	}
	r := reader{values: []any{reply}}
	switch n := r.integer(); n {
	case 0:
		return 0, errors.Join(r.failed("keep"), ErrMoved)
	case -1:
		return 0, ErrGone
	default:
		return uint64(n), nil
	}
}

// Version reads one version with its document; exists is false where it is not there.
func (f *Flow) Version(ctx context.Context, id string) (v flows.Version, document []byte, exists bool, err error) {
	reply, err := f.store.lanes.Run(ctx, versionScript, []string{f.keys.Versions}, id)
	if err != nil {
		return flows.Version{}, nil, false, err
	}
	r := reader{values: asList(reply)}
	list, err := f.parseVersions(r.text())
	packed := r.text()
	if err = errors.Join(err, r.failed("version")); err != nil || packed == "" {
		return flows.Version{}, nil, false, err
	}
	for i := range list {
		if list[i].ID == id {
			document, err = unpack(packed)
			return list[i], document, err == nil, err
		}
	}
	return flows.Version{}, nil, false, nil
}

// NoteAuthor keeps who a client is that changes the flow. done must not block.
func (f *Flow) NoteAuthor(a flows.Author, done func(error)) {
	told, err := json.Marshal(storedAuthor{UserID: a.UserID, Name: a.Name})
	if err != nil {
		panic(err) // two texts always encode
	}
	f.store.lanes.Start(authorScript, []string{f.keys.Authors}, []any{a.ClientID, told, f.store.argRetention}, func(_ any, err error) { done(err) })
}

func (f *Flow) versionKeys() []string { return []string{f.keys.Head, f.keys.Versions, f.keys.Authors} }

// Members gives of each flow what some of its clients tell of themselves, up to most.
func (s *Store) Members(ctx context.Context, ids []flows.ID, most int) ([][]Shown, error) {
	all := make([][]Shown, len(ids))
	err := together(ctx, "read who is in the flows", len(ids), func(i int, done func(error)) {
		k := s.lanes.Keys(ids[i])
		s.lanes.Start(membersScript, []string{k.Session, k.Presence}, []any{most}, func(reply any, err error) {
			if err == nil {
				r := reader{values: asList(reply)}
				all[i], err = r.shown("members")
			}
			done(err)
		})
	})
	return all, err
}

// packLevel: a third of the time of flate's own default, for a twentieth more bytes.
const packLevel = 3

var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, packLevel)
	if err != nil {
		panic(err) // the level is one that there is
	}
	return w
}}

// Pack makes a document small, for WriteVersions.
func Pack(document []byte) []byte {
	var out bytes.Buffer
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	_, _ = w.Write(document) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// unpack is for what Pack made: it trusts it.
func unpack(packed string) ([]byte, error) {
	document, err := io.ReadAll(flate.NewReader(strings.NewReader(packed)))
	if err != nil {
		return nil, fmt.Errorf("inflate a version: %w", err)
	}
	return document, nil
}

// NewVersionID names a version: random, so that one which is gone never comes back as another.
func NewVersionID() string { return newEpoch() }
