package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"helix/shared/flows"
)

type flowSummary struct {
	FlowID      flows.ID   `json:"flow_id"`
	Title       string     `json:"title"`
	Nodes       int        `json:"nodes"`
	Edges       int        `json:"edges"`
	UpToDate    bool       `json:"up_to_date"`
	Epoch       string     `json:"epoch"`
	Seq         uint64     `json:"seq"`
	CreatedAt   *time.Time `json:"created_at"`
	UpdatedAt   *time.Time `json:"updated_at"`
	Active      bool       `json:"active"`
	ClientCount int        `json:"client_count"`
}

func (a *api) listFlows(w http.ResponseWriter, r *http.Request) {
	cursor, limit, err := pageOf(r.URL)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	l, err := a.flows.ListReadable(r.Context(), identityOf(r.Context()), cursor, limit)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	list := make([]flowSummary, len(l.Flows))
	for i := range l.Flows {
		s := &l.Flows[i]
		list[i] = flowSummary{
			s.Flow, s.Title, s.Nodes, s.Edges, s.UpToDate(), s.Epoch, s.Seq,
			timeOrNull(s.CreatedAt), timeOrNull(s.UpdatedAt), s.Active, s.ClientCount,
		}
	}
	var next *string
	if l.Next != "" {
		next = &l.Next
	}
	a.answer(w, r, http.StatusOK, struct {
		Flows      []flowSummary `json:"flows"`
		NextCursor *string       `json:"next_cursor"`
	}{list, next})
}

// pageOf reads ?limit= and ?cursor=. It is strict: a misspelt parameter would be a first page for ever.
func pageOf(u *url.URL) (cursor string, limit int, err error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", 0, flows.ErrInvalidPageQuery.Because(err)
	}
	for name, values := range query {
		switch {
		case len(values) != 1:
			return "", 0, flows.ErrInvalidPageQuery
		case name == "cursor":
			cursor = values[0]
		case name == "limit":
			if limit, err = strconv.Atoi(values[0]); err != nil || limit < 1 {
				return "", 0, flows.ErrInvalidPageQuery
			}
		default:
			return "", 0, flows.ErrInvalidPageQuery
		}
	}
	return cursor, limit, nil
}

func (a *api) document(w http.ResponseWriter, r *http.Request) {
	id, err := flowID(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	c, err := conditionsOf(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	if c.given() { // what is as it was is not read
		s, err := a.flows.Summary(r.Context(), id)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		if a.answerOnCondition(w, r, c, s.Position, s.UpdatedAt) {
			return
		}
	}
	d, err := a.readDocument(r.Context(), id)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	if a.answerOnCondition(w, r, c, d.Position, d.UpdatedAt) { // it may have changed in between
		return
	}
	defer a.answers.hold(w, len(d.JSON))()
	describe(w, d.Position, d.UpdatedAt)
	w.Header().Set("Content-Length", strconv.Itoa(len(d.JSON)))
	sendCached(w, http.StatusOK, "application/json", "private, no-cache", d.JSON)
}

func (a *api) readDocument(ctx context.Context, id string) (flows.Document, error) {
	leave, err := a.slots.enter(ctx)
	if err != nil {
		return flows.Document{}, err
	}
	defer leave()
	return a.flows.Document(ctx, id)
}

func (a *api) replaceDocument(ctx context.Context, id string, body []byte, only flows.Condition) (flows.Replaced, error) {
	leave, err := a.slots.enter(ctx)
	if err != nil {
		return flows.Replaced{}, err
	}
	defer leave()
	return a.flows.Replace(ctx, id, body, only)
}

// answerOnCondition answers a request for a document whose conditions say that it is not to be sent.
func (a *api) answerOnCondition(w http.ResponseWriter, r *http.Request, c conditions, at flows.Position, updated time.Time) bool {
	switch {
	case c.match.given && !c.match.matches(at, false):
		a.refuse(w, r, flows.ErrPrecondition)
	case c.noneMatch.matches(at, true):
		describe(w, at, updated)
		w.Header().Set("Cache-Control", "private, no-cache")
		w.WriteHeader(http.StatusNotModified)
	default:
		return false
	}
	return true
}

// describe says in headers where a document is.
func describe(w http.ResponseWriter, at flows.Position, updated time.Time) {
	h := w.Header()
	h.Set("ETag", entityTag(at))
	h.Set("Helix-Epoch", at.Epoch)
	h.Set("Helix-Seq", strconv.FormatUint(at.Seq, 10))
	if !updated.IsZero() {
		h.Set("Last-Modified", updated.UTC().Format(http.TimeFormat))
	}
}

func (a *api) putDocument(w http.ResponseWriter, r *http.Request) {
	raw, err := flowID(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	id, err := flows.ParseID(raw)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	c, err := conditionsOf(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	body, err := readJSONBody(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	got, err := a.replaceDocument(r.Context(), raw, body, c.allow())
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	status, word := http.StatusOK, "unchanged"
	switch {
	case got.Created:
		status, word = http.StatusCreated, "created"
		w.Header().Set("Location", "/api/flows/"+url.PathEscape(string(id)))
	case got.Changed:
		word = "replaced"
	}
	describe(w, got.Position, time.Time{})
	a.answer(w, r, status, struct {
		Status string `json:"status"`
		Seq    uint64 `json:"seq"`
		Epoch  string `json:"epoch"`
	}{word, got.Seq, got.Epoch})
}

func (a *api) deleteDocument(w http.ResponseWriter, r *http.Request) {
	id, err := flowID(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	c, err := conditionsOf(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	if err := a.flows.Delete(r.Context(), id, c.allow()); err != nil {
		a.refuse(w, r, err)
		return
	}
	a.tell(r, "a flow's document was deleted", id)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}
