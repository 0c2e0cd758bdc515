package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"helix/shared/flows"
)

type versionSummary struct {
	ID    string     `json:"id"`
	Name  *string    `json:"name"`
	Epoch string     `json:"epoch"`
	Seq   uint64     `json:"seq"`
	At    *time.Time `json:"at"`
	By    []author   `json:"by"`
	Title string     `json:"title"`
	Nodes int        `json:"nodes"`
	Edges int        `json:"edges"`
}

type author struct {
	ClientID string  `json:"client_id"`
	UserID   *string `json:"user_id"`
	Name     *string `json:"name"`
}

func summaryOf(v *flows.Version) versionSummary {
	by := make([]author, len(v.By))
	for i, a := range v.By {
		by[i] = author{a.ClientID, textOrNull(a.UserID), textOrNull(a.Name)}
	}
	return versionSummary{v.ID, textOrNull(v.Name), v.Epoch, v.Seq, timeOrNull(v.At), by, v.Title, v.Nodes, v.Edges}
}

// textOrNull makes JSON's null of a text that is not known.
func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (a *api) listVersions(w http.ResponseWriter, r *http.Request) {
	id, err := flowID(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	q, err := pageOf(r.URL, false)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	page, err := a.flows.Versions(r.Context(), id, q.cursor, q.limit)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	list := make([]versionSummary, len(page.Versions))
	for i := range page.Versions {
		list[i] = summaryOf(&page.Versions[i])
	}
	a.answer(w, r, http.StatusOK, struct {
		Versions   []versionSummary `json:"versions"`
		NextCursor *string          `json:"next_cursor"`
	}{list, textOrNull(page.Next)})
}

// versionID gives the version that the path names; see flowID.
func versionID(r *http.Request) string {
	param := chi.URLParam(r, "version")
	if id, err := url.PathUnescape(param); r.URL.RawPath != "" && err == nil {
		return id
	}
	return param
}

// aVersionKept is for how long a version may be kept by who reads it: it never changes, but may be removed.
const aVersionKept = "private, max-age=86400, immutable"

func (a *api) version(w http.ResponseWriter, r *http.Request) {
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
	var v flows.Version
	document, err := inTurn(r.Context(), a.slots, func() (document []byte, err error) {
		v, document, err = a.flows.Version(r.Context(), id, versionID(r))
		return document, err
	})
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	if a.answerOnCondition(w, r, c, v.Position, v.At, aVersionKept) {
		return
	}
	defer a.answers.hold(w, len(document))()
	describe(w, v.Position, v.At)
	w.Header().Set("Content-Length", strconv.Itoa(len(document)))
	sendCached(w, http.StatusOK, "application/json", aVersionKept, document)
}

func (a *api) nameVersion(w http.ResponseWriter, r *http.Request) {
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
	name, err := readName(r)
	if err == nil && name == nil {
		err = flows.ErrInvalidVersionName
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	v, err := inTurn(r.Context(), a.slots, func() (flows.Version, error) { return a.flows.NameVersion(r.Context(), raw, *name) })
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	w.Header().Set("Location", "/api/flows/"+url.PathEscape(string(id))+"/versions/"+url.PathEscape(v.ID))
	a.answer(w, r, http.StatusCreated, summaryOf(&v))
}

func (a *api) renameVersion(w http.ResponseWriter, r *http.Request) {
	id, err := flowID(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	name, err := readName(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	v, err := a.flows.RenameVersion(r.Context(), id, versionID(r), name)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	a.answer(w, r, http.StatusOK, summaryOf(&v))
}

func (a *api) removeVersion(w http.ResponseWriter, r *http.Request) {
	id, err := flowID(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	if err := a.flows.RemoveVersion(r.Context(), id, versionID(r)); err != nil {
		a.refuse(w, r, err)
		return
	}
	a.tell(r, "a version was removed", id)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// readName reads the body {"name": …}; null is nil. It is as strict as that of a change.
func readName(r *http.Request) (*string, error) {
	body, err := readJSONBody(r)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(body) {
		return nil, invalidBody("the body is not UTF-8")
	}
	var members map[string]json.RawMessage
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&members); err != nil || members == nil {
		var wrongType *json.UnmarshalTypeError
		if err == nil || errors.As(err, &wrongType) {
			return nil, invalidBody("the body must be a JSON object")
		}
		return nil, notJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, invalidBody("the body goes on after its object")
	}
	for member := range members {
		if member != "name" {
			return nil, invalidBody(fmt.Sprintf("the body has an unknown member %.64q; it takes name", member))
		}
	}
	var name *string
	if members["name"] == nil || json.Unmarshal(members["name"], &name) != nil {
		return nil, flows.ErrInvalidVersionName
	}
	return name, nil
}
