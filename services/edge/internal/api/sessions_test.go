package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"helix/edge/internal/api"
	"helix/shared/flows"
)

var (
	began    = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	lastSeen = time.Date(2024, 5, 6, 9, 8, 9, 500_000_000, time.FixedZone("", 3600))
)

func TestSessionRoutes_answer(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, method, path, body string
		sessions                 *fakeSessions
		want                     string
	}{
		{
			"status of an active flow", "GET", "/api/flows/demo/status", "",
			&fakeSessions{status: flows.Status{Flow: "demo", Active: true, ClientCount: 3, LastActivity: lastSeen, StartedAt: began}},
			`{"flow_id":"demo","active":true,"client_count":3,"last_activity":"2024-05-06T08:08:09.5Z"}`,
		},
		{
			"status of a flow without a session", "GET", "/api/flows/%20demo%20/status", "", &fakeSessions{},
			`{"flow_id":"demo","active":false,"client_count":0,"last_activity":null}`,
		},
		{
			"sessions", "GET", "/api/sessions", "",
			&fakeSessions{active: []flows.Status{
				{Flow: "<x>.y", Active: true, ClientCount: 1, LastActivity: lastSeen, StartedAt: began},
				{Flow: "a/b", Active: true, ClientCount: 2},
			}},
			`{"sessions":{"<x>.y":{"client_count":1,"last_activity":"2024-05-06T08:08:09.5Z","started_at":"2024-05-06T07:08:09Z"},` +
				`"a/b":{"client_count":2,"last_activity":null,"started_at":null}}}`,
		},
		{"no sessions", "GET", "/api/sessions", "", &fakeSessions{}, `{"sessions":{}}`},
		{
			"change", "POST", "/api/flows/demo/changes", `{"changes":{"a":1}}`,
			&fakeSessions{receipt: flows.Receipt{Seq: 18446744073709551615, Epoch: "e1"}},
			`{"status":"broadcasted","seq":18446744073709551615,"epoch":"e1"}`,
		},
		{
			"close", "DELETE", "/api/flows/demo/session", "", &fakeSessions{closed: 7},
			`{"status":"session_closed","clients_affected":7}`,
		},
		{"version", "GET", "/api/version", "", &fakeSessions{}, `{"version":"1.2.3"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := serve(api.New(options(c.sessions)), request(c.method, c.path, c.body))
			if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != c.want {
				t.Errorf("got %d %s\nwant 200 %s", w.Code, w.Body, c.want)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q", got)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("cache control %q", got)
			}
			if len(c.sessions.asked) > 0 && !c.sessions.hadEnd {
				t.Error("the boundary was asked without a deadline")
			}
		})
	}
}

// The same id may be written in several ways in a path; each must name the same flow.
func TestSessionRoutes_takeFlowIDs_unescapedExactlyOnce(t *testing.T) {
	t.Parallel()
	ids := []string{"a/b", "50%", "%41", "%2F", "a/%41", "ü #1", "<x>.y", "..", "a?b=c", "a+b", "a;b", "日本/語", "{id}"}
	encodings := map[string]func(string) string{
		"path escaped": url.PathEscape,
		"every byte escaped": func(s string) string {
			var b strings.Builder
			for i := range len(s) {
				fmt.Fprintf(&b, "%%%02x", s[i])
			}
			return b.String()
		},
		"as encodeURIComponent": func(s string) string {
			return strings.NewReplacer("+", "%20", "%28", "(", "%29", ")", "%21", "!").Replace(url.QueryEscape(s))
		},
	}
	routes := []struct{ method, path, body string }{
		{"GET", "/api/flows/%s/status", ""},
		{"POST", "/api/flows/%s/changes", `{"changes":{}}`},
		{"DELETE", "/api/flows/%s/session", ""},
		{"GET", "/api/flows/%s", ""},
		{"PUT", "/api/flows/%s", `{}`},
		{"DELETE", "/api/flows/%s", ""},
	}
	for _, route := range routes {
		for how, encode := range encodings {
			for _, id := range ids {
				sessions := &fakeSessions{}
				target := fmt.Sprintf(route.path, encode(id))
				w := serve(api.New(options(sessions)), request(route.method, target, route.body))
				if w.Code >= 300 || sessions.lastAsked() != flows.ID(id) {
					t.Errorf("%s %s (%s): status %d, flow %q, want %q", route.method, target, how, w.Code, sessions.lastAsked(), id)
				}
			}
		}
	}
}

func TestSessionRoutes_refuseInvalidFlowIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"%20", "%00", "a%0Ab", "%FF", "%C2%A0", strings.Repeat("x", 256)} {
		for _, route := range []struct{ method, path, body string }{
			{"GET", "/status", ""}, {"POST", "/changes", `{"changes":{}}`}, {"DELETE", "/session", ""},
			{"GET", "", ""}, {"PUT", "", `{}`}, {"DELETE", "", ""},
		} {
			sessions := &fakeSessions{}
			w := serve(api.New(options(sessions)), request(route.method, "/api/flows/"+id+route.path, route.body))
			if p := mustProblem(t, w); w.Code != http.StatusBadRequest || p.Code != "invalid_flow_id" {
				t.Errorf("%s of %q: %d %+v", route.method, id, w.Code, p)
			}
			if len(sessions.asked) != 0 {
				t.Errorf("%s of %q went past the boundary", route.method, id)
			}
		}
	}
}

func TestRefusals_haveTheirStatus_onEveryRoute(t *testing.T) {
	t.Parallel()
	refusals := map[*flows.Error]int{
		flows.ErrInvalidFlowID: 400, flows.ErrInvalidParams: 422, flows.ErrInvalidChange: 422, flows.ErrChangeTooDeep: 422,
		flows.ErrChangeTooLarge: 413, flows.ErrMaxClients: 409, flows.ErrUnauthorized: 403, flows.ErrRateLimited: 429,
		flows.ErrUnavailable: 503, flows.ErrDocumentTooLarge: 413, flows.ErrNoDocument: 404, flows.ErrPrecondition: 412, flows.ErrConflict: 409,
		flows.ErrDocumentNotJSON: 400, flows.ErrInvalidDocument: 422, flows.ErrDocumentTooDeep: 422, flows.ErrNullMember: 422, flows.ErrInvalidPageQuery: 400,
		flows.ErrUnauthenticated: 401, flows.ErrTokenExpired: 401, flows.ErrKeysUnavailable: 503,
	}
	for refusal, status := range refusals {
		for _, r := range []*http.Request{
			request("GET", "/api/flows/a/status", ""), request("GET", "/api/sessions", ""),
			request("POST", "/api/flows/a/changes", `{"changes":{}}`), request("DELETE", "/api/flows/a/session", ""),
			request("GET", "/api/flows", ""), request("GET", "/api/flows/a", ""), request("PUT", "/api/flows/a", `{}`), request("DELETE", "/api/flows/a", ""),
		} {
			w := serve(api.New(options(&fakeSessions{err: fmt.Errorf("asking: %w", refusal)})), r)
			if p := mustProblem(t, w); w.Code != status || p.Code != refusal.Code || p.Detail != refusal.Sentence {
				t.Errorf("%s on %s: %d %+v, want %d", refusal.Code, r.URL.Path, w.Code, p, status)
			}
			if again := w.Header().Get("Retry-After"); (again != "") != (status == 503 || status == 429) {
				t.Errorf("%s on %s: Retry-After %q", refusal.Code, r.URL.Path, again)
			}
		}
	}
}

func TestRefusals_tellNothingOfTheInside_andLogIt(t *testing.T) {
	t.Parallel()
	const secret = "dial tcp 10.0.0.7:6379: password hunter2"
	cases := []struct {
		name  string
		err   error
		gone  bool // the client has gone meanwhile
		code  int
		level string
	}{
		{"an error that is no refusal", errors.New(secret), false, 503, "WARN"},
		{"a refusal with a cause", flows.ErrUnavailable.Because(errors.New(secret)), false, 503, "WARN"},
		{"a refusal that HTTP does not know", &flows.Error{Code: "new", Reason: "new", Sentence: secret}, false, 500, "ERROR"},
		{"a client that has gone", errors.New(secret), true, 503, "DEBUG"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := options(&fakeSessions{err: c.err})
			log, logged := logTo()
			o.Log = log
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.gone {
				cancel()
			}
			w := serve(api.New(o), request("GET", "/api/sessions", "").WithContext(ctx))
			p := mustProblem(t, w)
			if w.Code != c.code || strings.Contains(w.Body.String(), "10.0.0.7") {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			line, _, _ := strings.Cut(logged(), "\n")
			for _, want := range []string{"level=" + c.level, "10.0.0.7", p.RequestID} {
				if !strings.Contains(line, want) {
					t.Errorf("the log lacks %q: %s", want, line)
				}
			}
		})
	}
}
