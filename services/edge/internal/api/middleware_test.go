package api_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"helix/edge/internal/api"
)

func TestRequestID_isKeptWhenSane_elseMade(t *testing.T) {
	t.Parallel()
	h := api.New(options(&fakeSessions{}))
	for id, kept := range map[string]bool{
		"abc-123_X.y": true, strings.Repeat("a", 64): true,
		"": false, strings.Repeat("a", 65): false, "a b": false, "a\"b": false, "ü": false, "<x>": false, "a\r\nb": false,
	} {
		got := serve(h, request("GET", "/api/version", "", "X-Request-Id", id)).Header().Get("X-Request-Id")
		if (got == id) != kept {
			t.Errorf("%q became %q", id, got)
		}
		if !kept && !regexp.MustCompile(`^[A-Z2-7]{26}$`).MatchString(got) {
			t.Errorf("%q became %q, no id of ours", id, got)
		}
	}
}

func TestUnknownPathsAndMethods_areProblems(t *testing.T) {
	t.Parallel()
	h := api.New(options(&fakeSessions{}))
	cases := []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/nope", 404, ""},
		{"POST", "/nope", 404, ""},
		{"FROB", "/nope", 404, ""},
		{"HEAD", "/nope", 404, ""},
		{"GET", "/api", 404, ""},
		{"GET", "/api/version/", 404, ""},
		{"GET", "/api/flows/a/b/status", 404, ""},
		{"GET", "/../go.mod", 404, ""},
		{"POST", "/api/version", 405, "GET, HEAD"},
		{"FROB", "/api/version", 405, "GET, HEAD"},
		{"OPTIONS", "/api/sessions", 405, "GET, HEAD"},
		{"GET", "/api/flows/a%2Fb/changes", 405, "POST"},
		{"HEAD", "/api/flows/a/changes", 405, "POST"},
		{"PUT", "/api/flows/50%25/session", 405, "DELETE"},
		{"POST", "/", 405, "GET, HEAD"},
		{"DELETE", "/page.css", 405, "GET, HEAD"},
	}
	for _, c := range cases {
		w := serve(h, request(c.method, c.path, ""))
		p := mustProblem(t, w)
		if w.Code != c.status || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d Allow %q, want %d %q", c.method, c.path, w.Code, w.Header().Get("Allow"), c.status, c.allow)
		}
		if want := map[int]string{404: "not_found", 405: "method_not_allowed"}[c.status]; p.Code != want {
			t.Errorf("%s %s: code %q, want %q", c.method, c.path, p.Code, want)
		}
	}
}

func TestHead_answersAsGet_withoutBody(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(api.New(options(&fakeSessions{})))
	defer s.Close()
	for _, path := range []string{"/api/version", "/healthz", "/", "/page.css", "/api/flows/a%2Fb/status"} {
		res, err := s.Client().Head(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || len(body) != 0 || res.ContentLength <= 0 {
			t.Errorf("%s: %d, %d bytes of %d, %v", path, res.StatusCode, len(body), res.ContentLength, err)
		}
	}
}

func TestPanic_isA500_loggedWithItsStack(t *testing.T) {
	t.Parallel()
	o := options(&fakeSessions{panics: "secret state"})
	log, logged := logTo()
	o.Log = log
	w := serve(api.New(o), request("GET", "/api/sessions", ""))
	p := mustProblem(t, w)
	if w.Code != http.StatusInternalServerError || p.Code != "internal" || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if l := logged(); !strings.Contains(l, "secret state") || !strings.Contains(l, "fake_test.go") || !strings.Contains(l, p.RequestID) {
		t.Errorf("the log lacks panic, stack or request id: %s", l)
	}
}

func TestAbort_staysAnAbort(t *testing.T) {
	t.Parallel()
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
			t.Errorf("panicked with %v", v)
		}
	}()
	serve(api.New(options(&fakeSessions{panics: http.ErrAbortHandler})), request("GET", "/api/sessions", ""))
	t.Error("an abort was answered")
}

// breakingWriter fails the way a handler's bug would: after the answer has begun.
type breakingWriter struct{ *httptest.ResponseRecorder }

func (breakingWriter) Write([]byte) (int, error) { panic("broke in the middle") }

func TestPanic_afterTheAnswerBegan_endsTheConnection(t *testing.T) {
	t.Parallel()
	w := breakingWriter{httptest.NewRecorder()}
	defer func() {
		err, _ := recover().(error)
		if !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("panicked with %v; half an answer would pass for a whole one", err)
		}
	}()
	api.New(options(&fakeSessions{})).ServeHTTP(w, request("GET", "/api/version", ""))
}

func TestSecurityHeaders_standOnEveryAnswer_andNoCORS(t *testing.T) {
	t.Parallel()
	h := api.New(options(&fakeSessions{panics: "boom"}))
	for _, path := range []string{"/", "/page.css", "/api/version", "/nope", "/api/sessions"} {
		header := serve(h, request("GET", path, "", "Origin", "https://evil.example")).Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Access-Control-Allow-Origin":  "",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		for _, directive := range []string{"default-src 'self'", "connect-src 'self' ws: wss:", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'"} {
			if csp := header.Get("Content-Security-Policy"); !strings.Contains(csp+";", directive+";") {
				t.Errorf("%s: the policy %q lacks %q", path, csp, directive)
			}
		}
		if strings.Contains(header.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: the policy allows what is unsafe", path)
		}
	}
}

// The attack: a page on another site makes its visitor's browser, which may reach this node although
// the site's owner may not, end sessions or change flows.
func TestForeignOrigins_mayNotChangeAnything(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		header  []string
		allowed bool
	}{
		{"no browser", nil, true},
		{"own page", []string{"Origin", "http://example.com", "Sec-Fetch-Site", "same-origin"}, true},
		{"own page behind TLS", []string{"Origin", "https://example.com"}, true},
		{"other origin", []string{"Origin", "https://evil.example"}, false},
		{"other port", []string{"Origin", "http://example.com:81"}, false},
		{"null origin", []string{"Origin", "null"}, false},
		{"cross-site by fetch metadata", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"sibling host", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://a.example.com"}, false},
	}
	for _, c := range cases {
		for _, r := range []*http.Request{
			request("POST", "/api/flows/a/changes", `{"changes":{}}`, c.header...),
			request("DELETE", "/api/flows/a/session", "", c.header...),
		} {
			sessions := &fakeSessions{}
			w := serve(api.New(options(sessions)), r)
			if c.allowed != (w.Code == http.StatusOK) || c.allowed != (len(sessions.asked) == 1) {
				t.Errorf("%s %s: %d, asked %q", c.name, r.Method, w.Code, sessions.asked)
			}
			if !c.allowed {
				if p := mustProblem(t, w); w.Code != http.StatusForbidden || p.Code != "cross_origin" {
					t.Errorf("%s %s: %d %+v", c.name, r.Method, w.Code, p)
				}
			}
		}
	}
}

func TestAccessLog_tellsTheRequest_withoutItsQuery(t *testing.T) {
	t.Parallel()
	o := options(&fakeSessions{})
	log, logged := logTo()
	o.Log = log
	serve(api.New(o), request("GET", "/api/version?token=hunter2", "", "X-Request-Id", "r-1"))
	l := logged()
	for _, want := range []string{"level=DEBUG", "request_id=r-1", "method=GET", "path=/api/version", "status=200"} {
		if !strings.Contains(l, want) {
			t.Errorf("the log lacks %q: %s", want, l)
		}
	}
	if strings.Contains(l, "hunter2") {
		t.Errorf("the log has the token: %s", l)
	}
}

// deadlineWriter remembers the deadlines that were set on its connection.
type deadlineWriter struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (d *deadlineWriter) SetReadDeadline(t time.Time) error {
	d.read = append(d.read, t)
	return nil
}

func (d *deadlineWriter) SetWriteDeadline(t time.Time) error {
	d.write = append(d.write, t)
	return nil
}

func TestRequests_haveDeadlines_andSocketsNone(t *testing.T) {
	t.Parallel()
	o := options(&fakeSessions{})
	o.RequestTimeout = 3 * time.Second
	h := api.New(o)
	about := func(t *testing.T, what string, got []time.Time, want time.Duration) {
		t.Helper()
		if len(got) != 1 {
			t.Errorf("%s: %d deadlines set, want 1", what, len(got))
		} else if d := time.Until(got[0]); d > want || d < want-2*time.Second {
			t.Errorf("%s in %v, want %v", what, d, want)
		}
	}

	w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, request("POST", "/api/flows/a/changes", `{"changes":{}}`))
	about(t, "reading", w.read, 3*time.Second)
	about(t, "writing", w.write, api.SendTimeout)

	w = &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, request("GET", "/socket/websocket", ""))
	if len(w.read) != 0 || len(w.write) != 1 || !w.write[0].IsZero() {
		t.Errorf("a socket has the deadlines %v and %v", w.read, w.write)
	}
}
