package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"

	"helix/shared/flows"
)

// flowID gives the flow id that the path names, still to be checked by the boundary. chi routes by
// the escaped path where that differs from the usual escaping of the decoded one, and by the decoded
// path otherwise; the parameter comes from whichever it was. To unescape always would turn the flow
// "%41" into "A"; never to unescape would leave "a%2Fb" for "a/b".
func flowID(r *http.Request) (string, error) {
	param := chi.URLParam(r, "id")
	if r.URL.RawPath == "" {
		return param, nil
	}
	id, err := url.PathUnescape(param)
	if err != nil {
		return "", flows.ErrInvalidFlowID.Because(err)
	}
	return id, nil
}

func (a *api) status(w http.ResponseWriter, r *http.Request) {
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
	s, err := a.flows.Status(r.Context(), raw)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	a.answer(w, r, http.StatusOK, struct {
		FlowID       flows.ID   `json:"flow_id"`
		Active       bool       `json:"active"`
		ClientCount  int        `json:"client_count"`
		LastActivity *time.Time `json:"last_activity"`
	}{id, s.Active, s.ClientCount, timeOrNull(s.LastActivity)})
}

type sessionSummary struct {
	ClientCount  int        `json:"client_count"`
	LastActivity *time.Time `json:"last_activity"`
	StartedAt    *time.Time `json:"started_at"`
}

func (a *api) sessions(w http.ResponseWriter, r *http.Request) {
	active, err := a.flows.ActiveSessions(r.Context())
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	who := identityOf(r.Context())
	byID := make(map[flows.ID]sessionSummary, len(active))
	for _, s := range active {
		if !who.May(flows.Read, s.Flow) {
			continue
		}
		byID[s.Flow] = sessionSummary{s.ClientCount, timeOrNull(s.LastActivity), timeOrNull(s.StartedAt)}
	}
	a.answer(w, r, http.StatusOK, struct {
		Sessions map[flows.ID]sessionSummary `json:"sessions"`
	}{byID})
}

func (a *api) closeSession(w http.ResponseWriter, r *http.Request) {
	raw, err := flowID(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	affected, err := a.flows.ForceClose(r.Context(), raw)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	a.tell(r, "a session was ended on request", raw)
	a.answer(w, r, http.StatusOK, struct {
		Status          string `json:"status"`
		ClientsAffected int    `json:"clients_affected"`
	}{"session_closed", affected})
}

// timeOrNull makes JSON's null of a time that is not known; a known one is told in UTC, as RFC 3339.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
