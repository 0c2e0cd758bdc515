package api

import (
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
	Members     *[]member  `json:"members,omitempty"`
}

func (a *api) listFlows(w http.ResponseWriter, r *http.Request) {
	q, err := pageOf(r.URL, true)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	l, err := a.flows.ListReadable(r.Context(), identityOf(r.Context()), q.cursor, q.limit)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	list := make([]flowSummary, len(l.Flows))
	for i := range l.Flows {
		s := &l.Flows[i]
		list[i] = flowSummary{
			s.Flow, s.Title, s.Nodes, s.Edges, s.UpToDate(), s.Epoch, s.Seq,
			timeOrNull(s.CreatedAt), timeOrNull(s.UpdatedAt), s.Active, s.ClientCount, nil,
		}
	}
	if q.members {
		if err := a.addMembers(r, list); err != nil {
			a.refuse(w, r, err)
			return
		}
	}
	a.answer(w, r, http.StatusOK, struct {
		Flows      []flowSummary `json:"flows"`
		NextCursor *string       `json:"next_cursor"`
	}{list, textOrNull(l.Next)})
}

// pageQuery is what the query of a list says.
type pageQuery struct {
	cursor  string
	limit   int // 0: it does not say
	members bool
}

// pageOf reads ?limit= and ?cursor=, and ?members= where a list has them. It is strict: a misspelt parameter
// would be a first page for ever.
func pageOf(u *url.URL, hasMembers bool) (q pageQuery, err error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return pageQuery{}, flows.ErrInvalidPageQuery.Because(err)
	}
	for name, values := range query {
		switch {
		case len(values) != 1:
			return pageQuery{}, flows.ErrInvalidPageQuery
		case name == "cursor":
			q.cursor = values[0]
		case name == "limit":
			if q.limit, err = strconv.Atoi(values[0]); err != nil || q.limit < 1 {
				return pageQuery{}, flows.ErrInvalidPageQuery
			}
		case name == "members" && hasMembers && (values[0] == "true" || values[0] == "false"):
			q.members = values[0] == "true"
		default:
			return pageQuery{}, flows.ErrInvalidPageQuery
		}
	}
	if q.members && q.limit > mostWithMembers {
		return pageQuery{}, errManyMembers
	}
	return q, nil
}

func (a *api) document(w http.ResponseWriter, r *http.Request) {
	d, ok := a.readDocument(w, r, nil)
	if !ok {
		return
	}
	defer a.answers.hold(w, len(d.JSON))()
	describe(w, d.Position, d.UpdatedAt)
	w.Header().Set("Content-Length", strconv.Itoa(len(d.JSON)))
	sendCached(w, http.StatusOK, "application/json", aDocumentKept, d.JSON)
}

// readDocument reads the document of the flow that the path names, and has reduce, where it is set, take what
// it needs of it while it is this request's turn. Where it is not to be sent, as where the request's
// conditions say so, the request is answered and ok false.
func (a *api) readDocument(w http.ResponseWriter, r *http.Request, reduce func(*flows.Document)) (d flows.Document, ok bool) {
	id, err := flowID(r)
	if err != nil {
		a.refuse(w, r, err)
		return d, false
	}
	c, err := conditionsOf(r)
	if err != nil {
		a.refuse(w, r, err)
		return d, false
	}
	if c.given() { // what is as it was is not read
		s, err := a.flows.Summary(r.Context(), id)
		if err != nil {
			a.refuse(w, r, err)
			return d, false
		}
		if a.answerOnCondition(w, r, c, s.Position, s.UpdatedAt, aDocumentKept) {
			return d, false
		}
	}
	d, err = inTurn(r.Context(), a.slots, func() (flows.Document, error) {
		d, err := a.flows.Document(r.Context(), id)
		if err == nil && reduce != nil {
			reduce(&d)
		}
		return d, err
	})
	if err != nil {
		a.refuse(w, r, err)
		return d, false
	}
	return d, !a.answerOnCondition(w, r, c, d.Position, d.UpdatedAt, aDocumentKept) // it may have changed in between
}

// aDocumentKept: a document may be kept, but is asked for again each time.
const aDocumentKept = "private, no-cache"

// answerOnCondition answers a request for a document whose conditions say that it is not to be sent. cache
// says how it may be kept.
func (a *api) answerOnCondition(w http.ResponseWriter, r *http.Request, c conditions, at flows.Position, updated time.Time, cache string) bool {
	switch {
	case c.match.given && !c.match.matches(at, false):
		a.refuse(w, r, flows.ErrPrecondition)
	case c.noneMatch.matches(at, true):
		describe(w, at, updated)
		w.Header().Set("Cache-Control", cache)
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
	got, err := inTurn(r.Context(), a.slots, func() (flows.Replaced, error) { return a.flows.Replace(r.Context(), raw, body, c.allow()) })
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
