package fanout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"helix/shared/flows"
	"helix/shared/session"
)

// Versions of documents, as they are asked for on any edge. Those without a name are made by the holder of
// a session's lease (keeping.go), by the edge that a session's last member leaves, and here: before a
// document is replaced as a whole, and where somebody asks for the versions of a flow that was changed
// without a session.

// mostNamed is how many changes behind the version before are looked at for who made them.
const mostNamed = 2000

// mostAuthors bounds the clients of one version that are looked up; fewer are told.
const mostAuthors = 64

// Versions implements flows.Sessions.
func (h *Hub) Versions(ctx context.Context, id flows.ID, below uint64, limit int) (list []flows.Version, more bool, err error) {
	f := h.Store.Flow(id)
	was, err := f.Versions(ctx)
	if err != nil {
		return nil, false, unavailable(err)
	}
	if below == 0 && h.keepVacant(ctx, f, &was) {
		if was, err = f.Versions(ctx); err != nil {
			return nil, false, unavailable(err)
		}
	}
	for i := range was.List {
		v := &was.List[i]
		switch {
		case below > 0 && v.Number >= below:
		case len(list) == limit:
			return list, true, nil
		default:
			list = append(list, *v)
		}
	}
	return list, false, nil
}

// keepVacant makes the version that nobody else makes: of a flow that has no session, as it is now.
func (h *Hub) keepVacant(ctx context.Context, f *session.Flow, was *session.Versions) (kept bool) {
	at := was.Head.Position
	if h.VersionBounds.Interval == 0 || at.Epoch == "" || at.Seq == 0 || keptAt(was.List, at) {
		return false
	}
	if s, exists, err := f.Summary(ctx); err != nil || !exists || s.Active {
		return false
	}
	select { // where too many documents are read for it already, it is made when somebody asks again
	case h.parting <- struct{}{}:
		defer func() { <-h.parting }()
	default:
		return false
	}
	err := h.keepNow(ctx, f, nil)
	if err != nil {
		h.Log.Warn("cannot keep a version of a flow that has no session", "flow", f.ID(), "error", err)
	}
	return err == nil
}

// keepNow reads a flow's document and keeps it as a version. changed nil: who did is read from the log.
func (h *Hub) keepNow(ctx context.Context, f *session.Flow, changed []noted) error {
	var held heldDocument
	if err := held.read(ctx, h, f); err != nil || !held.exists {
		return err
	}
	if held.Seq > held.folded {
		h.foldVacant(ctx, f, &held)
	}
	_, err := h.keep(ctx, f, &held, "", changed)
	if errors.Is(err, session.ErrGone) {
		return nil
	}
	return err
}

// keepReplaced keeps what a document was before it was replaced as a whole, over HTTP.
func (h *Hub) keepReplaced(ctx context.Context, f *session.Flow, was *heldDocument) {
	if h.VersionBounds.Interval == 0 || !was.exists || was.Seq == 0 {
		return
	}
	if _, err := h.keep(ctx, f, was, "", nil); err != nil && !errors.Is(err, session.ErrGone) {
		h.Log.Warn("cannot keep a version of a document that was replaced", "flow", f.ID(), "error", err)
	}
}

// keep keeps a document that was read.
func (h *Hub) keep(ctx context.Context, f *session.Flow, held *heldDocument, name string, changed []noted) (flows.Version, error) {
	if changed == nil {
		was, err := f.Versions(ctx)
		if err != nil {
			return flows.Version{}, err
		}
		if name == "" && keptAt(was.List, held.Position) {
			return flows.Version{}, nil
		}
		if changed, err = changedSince(ctx, f, was.List, held); err != nil {
			return flows.Version{}, err
		}
	}
	return h.keepVersion(ctx, f, fold(held.doc, held.Held, held.bytes), name, changed)
}

// changedSince gives the clients that changed a flow since its newest version, the last ones first, as far
// as the log tells.
func changedSince(ctx context.Context, f *session.Flow, list []flows.Version, held *heldDocument) ([]noted, error) {
	from := newestSeq(list, held.Epoch)
	if held.Seq <= from {
		return []noted{}, nil
	}
	from = max(from, held.Seq-min(held.Seq, mostNamed))
	c, err := f.Read(ctx, session.Held{Position: session.Position{Epoch: held.Epoch, Seq: from}})
	if err != nil {
		return nil, err
	}
	var a authors
	for _, u := range c.Updates {
		if u.Last() <= held.Seq {
			a.note(u)
		}
	}
	a.forget(from)
	return a.newest(), nil
}

// newestSeq is that of the versions of an epoch.
func newestSeq(list []flows.Version, epoch string) (seq uint64) {
	for i := range list {
		if list[i].Epoch == epoch {
			seq = max(seq, list[i].Seq)
		}
	}
	return seq
}

// keepVersion keeps a document as the newest version of its flow: under a name, or without one where there
// is not already a version as new. changed are clients that changed it, the last ones first; those who did
// after the version before are told. session.ErrGone: the flow has another document by now.
func (h *Hub) keepVersion(ctx context.Context, f *session.Flow, d session.Folded, name string, changed []noted) (flows.Version, error) {
	clients := make([]string, len(changed))
	for i := range changed {
		clients[i] = changed[i].clientID
	}
	var packed []byte
	for range mostTries {
		was, err := f.Versions(ctx, clients...)
		if err != nil {
			return flows.Version{}, err
		}
		list, gone := was.List, []string(nil)
		same := slices.IndexFunc(list, func(v flows.Version) bool { return v.Position == d.Position && v.Name == "" })
		switch {
		case name != "" && same >= 0: // it has its name from now on
			v := list[same]
			v.Name, v.At, v.Number = name, nowMS(), nextNumber(list)
			list = append([]flows.Version{v}, slices.Delete(slices.Clone(list), same, same+1)...)
			if !h.VersionBounds.NamedFit(list) {
				return flows.Version{}, flows.ErrVersionsFull
			}
			if _, err = f.WriteVersions(ctx, was.Number, list, nil, nil); err == nil {
				return v, nil
			}
			if !errors.Is(err, session.ErrMoved) {
				return flows.Version{}, err
			}
			continue
		case name == "" && keptAt(list, d.Position):
			return list[0], nil
		}
		if packed == nil {
			packed = session.Pack(d.Document)
		}
		v := flows.Version{
			ID: session.NewVersionID(), Position: d.Position, At: d.At, Number: nextNumber(list), Name: name,
			By: merged(since(was.Authors, changed, newestSeq(list, d.Epoch)), nil), Title: strings.ToValidUTF8(d.Title, ""), Nodes: d.Nodes, Edges: d.Edges, StoredBytes: len(packed),
		}
		if name != "" || v.At.IsZero() {
			v.At = nowMS()
		}
		if name == "" && len(list) > 0 && list[0].Name == "" && v.At.Sub(list[0].At) < h.VersionBounds.Rest() {
			v.By = merged(v.By, list[0].By)
			gone = []string{list[0].ID}
			list = list[1:]
		}
		list = append([]flows.Version{v}, list...)
		if name != "" && !h.VersionBounds.NamedFit(list) {
			return flows.Version{}, flows.ErrVersionsFull
		}
		list, thinned := h.VersionBounds.Thin(list)
		_, err = f.WriteVersions(ctx, was.Number, list, append(gone, thinned...), packed)
		switch {
		case err == nil:
			h.Metrics.Versions.Inc()
			return v, nil
		case !errors.Is(err, session.ErrMoved):
			return flows.Version{}, err
		}
	}
	return flows.Version{}, flows.ErrConflict
}

// nowMS is now, as versions tell times.
func nowMS() time.Time { return time.Now().Truncate(time.Millisecond) }

// keptAt says whether a version is as new as a position.
func keptAt(list []flows.Version, at session.Position) bool {
	return slices.ContainsFunc(list, func(v flows.Version) bool { return v.Epoch == at.Epoch && v.Seq >= at.Seq })
}

func nextNumber(list []flows.Version) uint64 {
	number := uint64(time.Now().UnixMilli()) //nolint:gosec // it is after 1970
	for i := range list {
		number = max(number, list[i].Number+1)
	}
	return number
}

// since gives those of the authors who changed something behind a seq; 0: all.
func since(all []flows.Author, changed []noted, seq uint64) (later []flows.Author) {
	for i := range all {
		if seq == 0 || changed[i].seq > seq {
			later = append(later, all[i])
		}
	}
	return later
}

// merged gives authors, those of a first, each person once.
func merged(a, b []flows.Author) []flows.Author {
	var all []flows.Author
	for _, next := range slices.Concat(a, b) {
		known := slices.ContainsFunc(all, func(o flows.Author) bool {
			return o.ClientID == next.ClientID || (next.UserID != "" && o.UserID == next.UserID)
		})
		if !known && len(all) < flows.MaxAuthors {
			all = append(all, next)
		}
	}
	return all
}

// Version implements flows.Sessions.
func (h *Hub) Version(ctx context.Context, id flows.ID, version string) (flows.Version, []byte, error) {
	v, json, exists, err := h.Store.Flow(id).Version(ctx, version)
	switch {
	case err != nil:
		return flows.Version{}, nil, unavailable(err)
	case !exists:
		return flows.Version{}, nil, flows.ErrNoVersion
	}
	return v, json, nil
}

// NameVersion implements flows.Sessions.
func (h *Hub) NameVersion(ctx context.Context, id flows.ID, name string) (flows.Version, error) {
	f := h.Store.Flow(id)
	for range mostTries {
		var held heldDocument
		if err := held.read(ctx, h, f); err != nil {
			return flows.Version{}, unavailable(err)
		}
		if !held.exists {
			return flows.Version{}, flows.ErrNoDocument
		}
		v, err := h.keep(ctx, f, &held, name, nil)
		var refused *flows.Error
		switch {
		case errors.Is(err, session.ErrGone): // deleted, or put back
		case errors.As(err, &refused):
			return flows.Version{}, refused
		case err != nil:
			return flows.Version{}, unavailable(err)
		default:
			return v, nil
		}
	}
	return flows.Version{}, flows.ErrConflict
}

// RenameVersion implements flows.Sessions.
func (h *Hub) RenameVersion(ctx context.Context, id flows.ID, version, name string) (out flows.Version, err error) {
	err = h.editVersions(ctx, id, version, func(list []flows.Version, i int) ([]flows.Version, []string, error) {
		list = slices.Clone(list)
		list[i].Name = name
		out = list[i]
		if name != "" && !h.VersionBounds.NamedFit(list) {
			return nil, nil, flows.ErrVersionsFull
		}
		kept, gone := h.VersionBounds.Thin(list)
		return kept, gone, nil
	})
	return out, err
}

// RemoveVersion implements flows.Sessions.
func (h *Hub) RemoveVersion(ctx context.Context, id flows.ID, version string) error {
	return h.editVersions(ctx, id, version, func(list []flows.Version, i int) ([]flows.Version, []string, error) {
		return slices.Delete(slices.Clone(list), i, i+1), []string{version}, nil
	})
}

// editVersions changes the list of versions around one of them, as nobody else changed it meanwhile.
func (h *Hub) editVersions(ctx context.Context, id flows.ID, version string, edit func(list []flows.Version, i int) (kept []flows.Version, gone []string, err error)) error {
	f := h.Store.Flow(id)
	for range mostTries {
		was, err := f.Versions(ctx)
		if err != nil {
			return unavailable(err)
		}
		i := slices.IndexFunc(was.List, func(v flows.Version) bool { return v.ID == version })
		if i < 0 {
			return flows.ErrNoVersion
		}
		list, gone, err := edit(was.List, i)
		if err != nil {
			return err
		}
		if _, err = f.WriteVersions(ctx, was.Number, list, gone, nil); !errors.Is(err, session.ErrMoved) {
			return unavailable(err)
		}
	}
	return flows.ErrConflict
}

// Members implements flows.Sessions.
func (h *Hub) Members(ctx context.Context, ids []flows.ID, most int) ([][]flows.Profile, error) {
	all, err := h.Store.Members(ctx, ids, most)
	if err != nil {
		return nil, unavailable(err)
	}
	members := make([][]flows.Profile, len(all))
	for i, shown := range all {
		for _, s := range shown {
			members[i] = append(members[i], flows.ProfileOf(s.ClientID, []byte(s.Meta)))
		}
	}
	return members, nil
}
