package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"helix/shared/flows"
	"helix/shared/telemetry"
)

// problem is the body of every refusal (RFC 9457). Its type is about:blank, so the title is the
// status's own phrase; programs tell refusals apart by code, people by detail.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
}

// statuses gives each refusal of the boundary its HTTP status, by code. A code that is not here is
// answered as an internal error: better than to pass on a word that nobody has thought about.
var statuses = map[string]int{
	flows.ErrInvalidFlowID.Code:    http.StatusBadRequest,
	flows.ErrInvalidParams.Code:    http.StatusUnprocessableEntity,
	flows.ErrInvalidChange.Code:    http.StatusUnprocessableEntity,
	flows.ErrChangeTooDeep.Code:    http.StatusUnprocessableEntity,
	flows.ErrChangeTooLarge.Code:   http.StatusRequestEntityTooLarge,
	flows.ErrDocumentTooLarge.Code: http.StatusRequestEntityTooLarge,
	flows.ErrMaxClients.Code:       http.StatusConflict,
	flows.ErrUnauthorized.Code:     http.StatusForbidden,
	flows.ErrRateLimited.Code:      http.StatusTooManyRequests,
	flows.ErrUnavailable.Code:      http.StatusServiceUnavailable,

	flows.ErrUnauthenticated.Code: http.StatusUnauthorized,
	flows.ErrTokenExpired.Code:    http.StatusUnauthorized,

	flows.ErrNoDocument.Code:       http.StatusNotFound,
	flows.ErrPrecondition.Code:     http.StatusPreconditionFailed,
	flows.ErrConflict.Code:         http.StatusConflict,
	flows.ErrDocumentNotJSON.Code:  http.StatusBadRequest,
	flows.ErrInvalidDocument.Code:  http.StatusUnprocessableEntity,
	flows.ErrDocumentTooDeep.Code:  http.StatusUnprocessableEntity,
	flows.ErrNullMember.Code:       http.StatusUnprocessableEntity,
	flows.ErrInvalidPageQuery.Code: http.StatusBadRequest,

	flows.ErrNoVersion.Code:          http.StatusNotFound,
	flows.ErrInvalidVersionName.Code: http.StatusUnprocessableEntity,
	flows.ErrVersionsFull.Code:       http.StatusConflict,
}

// refusal is what HTTP itself refuses, before the boundary is asked.
type refusal struct {
	status int
	code   string
	detail string
}

func (e *refusal) Error() string { return e.detail }

var (
	errNotFound     = &refusal{http.StatusNotFound, "not_found", "there is nothing at this path"}
	errMethod       = &refusal{http.StatusMethodNotAllowed, "method_not_allowed", "this path does not take this method; the Allow header names those that it takes"}
	errTooOften     = &refusal{http.StatusTooManyRequests, flows.ErrRateLimited.Code, "too many requests in too short a time; the header Retry-After says when to come back"}
	errCrossOrigin  = &refusal{http.StatusForbidden, "cross_origin", "a page of another origin may not change anything here"}
	errMediaType    = &refusal{http.StatusUnsupportedMediaType, "unsupported_media_type", "the body must be sent as application/json"}
	errBodyTooLarge = &refusal{http.StatusRequestEntityTooLarge, "body_too_large", "the request's body is too large"}
	errCondition    = &refusal{http.StatusBadRequest, "invalid_condition", "If-Match and If-None-Match take entity tags, in quotes and with commas between them, or *"}
	errBodyTimeout  = &refusal{http.StatusRequestTimeout, "request_timeout", "the request's body did not arrive in time"}
	errManyMembers  = &refusal{http.StatusBadRequest, "invalid_query", fmt.Sprintf("with members=true limit must be from 1 to %d", mostWithMembers)}
	errInternal     = &refusal{http.StatusInternalServerError, "internal", "something went wrong in the server; the request id finds it in the log"}
)

func invalidBody(detail string) *refusal {
	return &refusal{http.StatusBadRequest, "invalid_body", detail}
}

func refusalOf(err error) *refusal {
	var ours *refusal
	if errors.As(err, &ours) {
		return ours
	}
	var theirs *flows.Error
	if errors.As(err, &theirs) {
		if status, ok := statuses[theirs.Code]; ok {
			return &refusal{status, theirs.Code, theirs.Sentence}
		}
	}
	return errInternal
}

// answerer writes answers and refusals; the public and the admin handler share it.
type answerer struct {
	log      *slog.Logger
	refused  func(code string)      // nil: nobody counts
	security *telemetry.SecurityLog // nil: nobody is told
}

func newAnswerer(log *slog.Logger) answerer {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return answerer{log: log}
}

// answer sends v as JSON. It encodes before it writes, so that what cannot be encoded is a problem
// and not half a body.
func (a answerer) answer(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := encode(v)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	send(w, status, "application/json", body)
}

// refuse sends the problem that err stands for and logs what the client is not told.
func (a answerer) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f := refusalOf(err)
	id := requestIDFrom(r.Context())
	level := slog.LevelDebug
	switch {
	case errors.Is(r.Context().Err(), context.Canceled):
		// The client has gone: what failed then says little about the server.
	case f.code == codeNotReady:
		// A node that is draining says so to every probe.
		level = slog.LevelInfo
	case f.status == http.StatusInternalServerError:
		level = slog.LevelError
	case f.status > http.StatusInternalServerError:
		level = slog.LevelWarn
	}
	a.log.Log(r.Context(), level, "request refused", "request_id", id, "method", r.Method,
		"path", r.URL.Path, "status", f.status, "code", f.code, "error", err)

	if a.refused != nil {
		a.refused(f.code)
	}
	a.suspect(r, f, err)

	again := f.status == http.StatusServiceUnavailable || f.status == http.StatusTooManyRequests
	if again && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	body, err := encode(problem{"about:blank", http.StatusText(f.status), f.status, f.detail, f.code, id})
	if err != nil {
		// Six plain fields always encode.
		panic(err)
	}
	send(w, f.status, "application/problem+json", body)
}

func (a answerer) notFound(w http.ResponseWriter, r *http.Request) { a.refuse(w, r, errNotFound) }

// methodNotAllowed names the methods that the path does take. chi tells them only to its own
// handler, so they are asked for one by one; a path that takes none at all is unknown.
func (a answerer) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	rctx := chi.RouteContext(r.Context())
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if !rctx.Routes.Match(chi.NewRouteContext(), method, path) {
			continue
		}
		allow = append(allow, method)
		if method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	if allow == nil {
		a.notFound(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	a.refuse(w, r, errMethod)
}

// encode leaves <, > and & as they are: flow ids may have them, and nothing here is read as HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	sendCached(w, status, contentType, "no-store", body)
}

// sendCached is send for what may be kept in the way that cache says.
func sendCached(w http.ResponseWriter, status int, contentType, cache string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", cache)
	w.WriteHeader(status)
	// An error here means that the client has gone; there is nobody left to tell.
	_, _ = w.Write(body)
}
