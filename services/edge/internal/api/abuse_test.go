package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"helix/edge/internal/api"
	helix "helix/shared/document"
	"helix/shared/flows"
	"helix/shared/telemetry"
)

// What people try on the HTTP API, each with the attack that it stops.

// The attack: what one proxy takes for a body, the next server takes for a request (request smuggling).
func TestAbuse_requestsOfTwoReadings(t *testing.T) {
	t.Parallel()
	sessions := &fakeSessions{}
	addr := start(t, api.New(options(sessions)))
	const smuggled = "DELETE /api/flows/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, head := range map[string]string{
		"two lengths":                    "Content-Length: 0\r\nContent-Length: 48\r\n",
		"a length that is a list":        "Content-Length: 0, 48\r\n",
		"a signed length":                "Content-Length: +48\r\n",
		"a negative length":              "Content-Length: -1\r\n",
		"a length in hexadecimal":        "Content-Length: 0x30\r\n",
		"a coding that is none":          "Transfer-Encoding: xchunked\r\n",
		"two codings":                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"a coding behind chunked":        "Transfer-Encoding: chunked, identity\r\n",
		"a space before the colon":       "Transfer-Encoding : chunked\r\n",
		"a control character":            "Transfer-Encoding: \x0bchunked\r\n",
		"two hosts":                      "Host: y\r\n",
		"a name that is none":            "Content Length: 48\r\n",
		"a NUL":                          "X: a\x00b\r\n",
		"a length beside a broken chunk": "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
	} {
		conn, in := dial(t, addr)
		fmt.Fprintf(conn, "POST /api/flows/a/changes HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%s\r\n%s", addr, head, smuggled)
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			continue // ended without an answer
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode < 400 || response.StatusCode >= 600 {
			t.Errorf("%s: %d", name, response.StatusCode)
		}
		if rest, err := http.ReadResponse(in, nil); err == nil {
			t.Errorf("%s: the smuggled request is answered: %d", name, rest.StatusCode)
		}
	}
	if asked := sessions.lastAsked(); asked != "" {
		t.Errorf("asked for %q", asked)
	}
}

// The attack: a method, or a type, that means one thing to who filters and another here.
func TestAbuse_methodsAndTypesThatMeanTwoThings(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"changes":{}}`))
	_ = z.Close()
	for name, c := range map[string]struct {
		request *http.Request
		status  int
	}{
		"a method in a header":    {request("GET", "/api/flows/a/session", "", "X-HTTP-Method-Override", "DELETE"), 405},
		"a method in the query":   {request("GET", "/api/flows/a/session?_method=DELETE", ""), 405},
		"a method in lower case":  {request("delete", "/api/flows/a/session", ""), 405},
		"TRACE":                   {request("TRACE", "/api/flows", ""), 405},
		"a form":                  {request("POST", "/api/flows/a/changes", "changes=1", "Content-Type", "application/x-www-form-urlencoded"), 415},
		"a file of a form":        {request("POST", "/api/flows/a/changes", "x", "Content-Type", "multipart/form-data; boundary=x"), 415},
		"plain text":              {request("POST", "/api/flows/a/changes", `{"changes":{}}`, "Content-Type", "text/plain"), 415},
		"two types":               {request("POST", "/api/flows/a/changes", `{"changes":{}}`, "Content-Type", "text/plain, application/json"), 415},
		"a type like it":          {request("POST", "/api/flows/a/changes", `{"changes":{}}`, "Content-Type", "application/jsonx"), 415},
		"UTF-16":                  {request("POST", "/api/flows/a/changes", "\xff\xfe{\x00}\x00", "Content-Type", "application/json; charset=utf-16"), 400},
		"a compressed body":       {request("POST", "/api/flows/a/changes", zipped.String(), "Content-Encoding", "gzip"), 400}, // nothing is unpacked
		"an encoded slash":        {request("GET", "/api/flows/..%2f..%2fhealthz/status", ""), 200},                            // a flow of that name
		"a path that goes up":     {request("GET", "/api/flows/../../healthz", ""), 404},
		"nesting without end":     {request("POST", "/api/flows/a/changes", `{"changes":`+strings.Repeat("[", 500_000)), 400},
		"a document without end":  {request("PUT", "/api/flows/a", strings.Repeat(`{"a":`, 500_000)), 422},
		"a member twice":          {request("POST", "/api/flows/a/changes", `{"changes":{},"changes":{"a":1}}`), 400},
		"a member in other words": {request("POST", "/api/flows/a/changes", `{"Changes":{}}`), 400},
	} {
		sessions := &fakeSessions{}
		if w := serve(api.New(options(sessions)), c.request); w.Code != c.status {
			t.Errorf("%s: %d, want %d", name, w.Code, c.status)
		}
		if c.status >= 400 && len(sessions.asked) > 0 {
			t.Errorf("%s: asked for %q", name, sessions.asked)
		}
	}
}

// The attack: headers until there is no memory left.
func TestAbuse_headersWithoutEnd(t *testing.T) {
	t.Parallel()
	addr := start(t, api.New(options(&fakeSessions{})))
	for name, head := range map[string]string{
		"one":        "X: " + strings.Repeat("x", 64<<10) + "\r\n",
		"many":       strings.Repeat("X: y\r\n", 12_000),
		"the target": "",
	} {
		conn, in := dial(t, addr)
		target := "/healthz"
		if head == "" {
			target += "?" + strings.Repeat("x", 64<<10)
		}
		go func() { _, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", target, head) }()
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			continue // cut off
		}
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge || !response.Close {
			t.Errorf("%s: %d", name, response.StatusCode)
		}
		_ = response.Body.Close()
	}
}

// The attack (slow loris): a header that never ends, on many connections.
func TestAbuse_slowHeaders_endTheirConnection(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := api.NewServer("", api.New(options(&fakeSessions{})), nil)
	if s.ReadHeaderTimeout > 15*time.Second {
		t.Errorf("a header may take %v", s.ReadHeaderTimeout)
	}
	s.ReadHeaderTimeout = 200 * time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	defer func() { _ = s.Close(); <-ended }()
	conn, in := dial(t, l.Addr().String())
	stop := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		for _, b := range []byte("GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 10_000)) {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
			}
		}
	})
	if response, err := http.ReadResponse(in, nil); err == nil && (response.StatusCode < 400 || !response.Close) {
		t.Errorf("answered with %d", response.StatusCode)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() { //nolint:errorlint // bare from the connection
		t.Error("the connection stays open")
	}
	close(stop)
	sending.Wait()
}

// The attack: ask as fast as one can, from one address, or as one user from many.
func TestAbuse_requestsWithoutEnd(t *testing.T) {
	t.Parallel()
	log, logged := logTo()
	var codes []string
	limit, asked := "", 0
	o := guardedOptions(&fakeSessions{})
	o.Security, o.Refused = telemetry.NewSecurityLog(log, nil), func(code string) { codes = append(codes, code) }
	o.Allow = func(r *http.Request, user string) (string, time.Duration) {
		if r.RemoteAddr == "" || (user != "" && user != "ann") {
			t.Errorf("%q %q", r.RemoteAddr, user)
		}
		asked++
		if (limit == "address" && user == "") || (limit == "user" && user != "") {
			return limit + "_request_rate", 2500 * time.Millisecond
		}
		return "", 0
	}
	h := api.New(o)
	for operation, of := range guarded {
		method, _, _ := strings.Cut(operation, " ")
		for _, limit = range []string{"address", "user"} {
			asked = 0
			w := serve(h, request(method, of.path, of.body, "Authorization", "Bearer read,write,manage"))
			p := mustProblem(t, w)
			if w.Code != 429 || p.Code != flows.ErrRateLimited.Code || w.Header().Get("Retry-After") != "3" {
				t.Errorf("%s by %s: %d %+v, Retry-After %q", operation, limit, w.Code, p, w.Header().Get("Retry-After"))
			}
			if want := map[string]int{"address": 1, "user": 2}[limit]; asked != want {
				t.Errorf("%s by %s: asked %d times, want %d", operation, limit, asked, want)
			}
		}
	}
	if !strings.Contains(logged(), "event=limit_reached") || !strings.Contains(logged(), "limit=user_request_rate") || len(codes) != 2*len(guarded) {
		t.Errorf("%d refusals counted; %s", len(codes), logged())
	}
	limit = "address"
	if w := serve(h, request("GET", "/api/flows", "", "Authorization", "Bearer made up")); w.Code != 429 {
		t.Errorf("an address that is turned away costs a signature: %d", w.Code)
	}
	for _, path := range open { // probes, above all, are never refused
		if w := serve(h, request("GET", path, "")); w.Code == 429 {
			t.Errorf("%s is refused", path)
		}
	}
}

// What is logged of those who try says who and what, and has no token in it.
func TestAbuse_isLogged_withoutSecrets(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	o := guardedOptions(&fakeSessions{})
	o.Security = telemetry.NewSecurityLog(slog.New(slog.NewTextHandler(&out, nil)), nil)
	h := api.New(o)
	serve(h, request("GET", "/api/flows?token=letmein", "", "Authorization", "Bearer letmein"))
	serve(h, request("DELETE", "/api/flows/demo", "", "Authorization", "Bearer read"))
	serve(h, request("DELETE", "/api/flows/demo", "", "Origin", "https://evil.example", "Authorization", "Bearer manage"))
	logged := out.String()
	for _, want := range []string{
		"event=token_refused method=GET path=/api/flows address=192.0.2.1", "event=right_refused method=DELETE path=/api/flows/demo", "user_id=ann",
		"event=origin_refused", "origin=https://evil.example",
	} {
		if !strings.Contains(logged, want) {
			t.Errorf("not logged: %s in %s", want, logged)
		}
	}
	before := len(out.String())
	serve(h, request("GET", "/api/flows", "")) // who has no token yet is nobody's attack
	if now := out.String(); len(now) != before {
		t.Error(now[before:])
	}
	if strings.Contains(logged, "letmein") {
		t.Error(logged)
	}
}

// crowd counts how many put a document at once, and has them wait.
type crowd struct {
	*fakeSessions
	mu        sync.Mutex
	now, most int
	open      chan struct{}
}

func (c *crowd) Replace(context.Context, flows.ID, *helix.Document, flows.Condition) (flows.Replaced, error) {
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	<-c.open
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
	return flows.Replaced{}, nil
}

// The attack: put many documents of many small objects at once. Each is a hundred times as large in memory.
func TestAbuse_documentsWithoutEnd(t *testing.T) {
	t.Parallel()
	c := &crowd{fakeSessions: &fakeSessions{}, open: make(chan struct{})}
	o := options(c)
	o.RequestTimeout = 300 * time.Millisecond
	h := api.New(o)
	const all = 3 * api.DocumentsAtOnce
	codes := make(chan int, all)
	for range all {
		go func() { codes <- serve(h, request("PUT", "/api/flows/a", `{}`)).Code }()
	}
	for range all - api.DocumentsAtOnce { // whose turn does not come is told so, in time
		if code := <-codes; code != http.StatusServiceUnavailable {
			t.Errorf("%d", code)
		}
	}
	close(c.open)
	for range api.DocumentsAtOnce {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("%d", code)
		}
	}
	if c.most != api.DocumentsAtOnce {
		t.Errorf("%d at once", c.most)
	}
	if code := serve(h, request("PUT", "/api/flows/a", `{}`)).Code; code != http.StatusOK {
		t.Errorf("afterwards: %d", code)
	}
}

// The same of small pictures of large documents: what is taken apart is so in turn.
func TestAbuse_outlinesWithoutEnd(t *testing.T) {
	t.Parallel()
	taken := -1
	serve(api.TurnsTaken(options(stored()).Flows, &taken), request("GET", "/api/flows/a", ""))
	if taken != 1 {
		t.Errorf("%d requests had their turn", taken)
	}
}

// The attack: ask for large documents, and do not read them.
func TestAbuse_answersThatNobodyReads(t *testing.T) {
	t.Parallel()
	hold := api.NewAnswers(100)
	var all []*deadlineWriter
	var done []func()
	for range 4 {
		w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
		all = append(all, w)
		done = append(done, hold(w, 40))
	}
	for i, want := range []int{2, 1, 0, 0} { // each new one past the bound cuts off those that take longest
		if len(all[i].write) != want {
			t.Errorf("number %d was cut off %d times, want %d", i, len(all[i].write), want)
		}
	}
	for _, d := range done {
		d()
	}
	w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
	defer hold(w, 1000)() // a large one alone is sent
	if len(w.write) > 0 {
		t.Error("it is cut off")
	}
}
