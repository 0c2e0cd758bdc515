package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"helix/edge/internal/api"
	helix "helix/shared/document"
	"helix/shared/flows"
)

// fakeSessions answers with what its fields say and remembers what it was asked.
type fakeSessions struct {
	flows.Sessions // Join is not for HTTP; calling it panics

	err     error
	panics  any
	status  flows.Status
	active  []flows.Status
	closed  int
	receipt flows.Receipt

	list     []flows.Summary
	next     flows.Place
	summary  flows.Summary
	document flows.Document
	replaced flows.Replaced
	at       flows.Position // that conditions are asked with
	versions []flows.Version
	more     bool
	version  flows.Version
	members  [][]flows.Profile

	mu       sync.Mutex
	asked    []flows.ID
	change   flows.Change
	after    flows.Place
	limit    int
	put      string
	below    uint64
	askedFor string // a version
	hadEnd   bool   // the context had a deadline
}

func (f *fakeSessions) ask(ctx context.Context, id flows.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, id)
	_, f.hadEnd = ctx.Deadline()
	if f.panics != nil {
		panic(f.panics)
	}
	return f.err
}

func (f *fakeSessions) Change(ctx context.Context, id flows.ID, c flows.Change) (flows.Receipt, error) {
	err := f.ask(ctx, id)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.change = flows.Change{Changes: bytes.Clone(c.Changes), ClientID: c.ClientID}
	return f.receipt, err
}

func (f *fakeSessions) Status(ctx context.Context, id flows.ID) (flows.Status, error) {
	return f.status, f.ask(ctx, id)
}

func (f *fakeSessions) Active(ctx context.Context) ([]flows.Status, error) {
	return f.active, f.ask(ctx, "")
}

func (f *fakeSessions) Close(ctx context.Context, id flows.ID) (int, error) {
	return f.closed, f.ask(ctx, id)
}

func (f *fakeSessions) List(ctx context.Context, after flows.Place, limit int) ([]flows.Summary, flows.Place, error) {
	err := f.ask(ctx, "")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after, f.limit = after, limit
	return f.list, f.next, err
}

func (f *fakeSessions) Summary(ctx context.Context, id flows.ID) (flows.Summary, error) {
	return f.summary, f.ask(ctx, id)
}

func (f *fakeSessions) Document(ctx context.Context, id flows.ID) (flows.Document, error) {
	return f.document, f.ask(ctx, id)
}

func (f *fakeSessions) Replace(ctx context.Context, id flows.ID, to *helix.Document, only flows.Condition) (flows.Replaced, error) {
	err := f.ask(ctx, id)
	if err == nil && only != nil && !only(f.at) {
		err = flows.ErrPrecondition
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put = string(to.AppendJSON(nil))
	return f.replaced, err
}

func (f *fakeSessions) Delete(ctx context.Context, id flows.ID, only flows.Condition) error {
	err := f.ask(ctx, id)
	if err == nil && only != nil && !only(f.at) {
		err = flows.ErrPrecondition
	}
	return err
}

func (f *fakeSessions) Versions(ctx context.Context, id flows.ID, below uint64, limit int) ([]flows.Version, bool, error) {
	err := f.ask(ctx, id)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.below, f.limit = below, limit
	return f.versions, f.more, err
}

func (f *fakeSessions) Version(ctx context.Context, id flows.ID, version string) (flows.Version, []byte, error) {
	return f.version, f.document.JSON, f.askVersion(ctx, id, version)
}

func (f *fakeSessions) NameVersion(ctx context.Context, id flows.ID, name string) (flows.Version, error) {
	v := f.version
	v.Name = name
	return v, f.ask(ctx, id)
}

func (f *fakeSessions) RenameVersion(ctx context.Context, id flows.ID, version, name string) (flows.Version, error) {
	v := f.version
	v.Name = name
	return v, f.askVersion(ctx, id, version)
}

func (f *fakeSessions) RemoveVersion(ctx context.Context, id flows.ID, version string) error {
	return f.askVersion(ctx, id, version)
}

func (f *fakeSessions) askVersion(ctx context.Context, id flows.ID, version string) error {
	f.mu.Lock()
	f.askedFor = version
	f.mu.Unlock()
	return f.ask(ctx, id)
}

func (f *fakeSessions) Members(_ context.Context, ids []flows.ID, _ int) ([][]flows.Profile, error) {
	return f.members[:len(ids)], nil
}

func (f *fakeSessions) lastAsked() flows.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) == 0 {
		return ""
	}
	return f.asked[len(f.asked)-1]
}

var testPage = fstest.MapFS{
	"index.html":                {Data: []byte(testIndex)},
	"page.css":                  {Data: []byte("body{}")},
	"assets/main-abc123.js":     {Data: []byte("export{}")},
	"assets/inter-abc123.woff2": {Data: []byte("wOF2")},
	"assets/.gitkeep":           {Data: nil},
}

// options are those of a node over sessions where a test asks for nothing else.
func options(sessions flows.Sessions) api.Options {
	return api.Options{
		Flows:   flows.New(sessions, flows.DefaultLimits),
		Socket:  http.NotFoundHandler(),
		Version: "1.2.3",
		Page:    testPage,
	}
}

// request builds one as a client would send it; body is JSON unless header says otherwise.
func request(method, target, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

type problemBody struct {
	Type, Title, Detail, Code string
	Status                    int
	RequestID                 string `json:"request_id"`
}

// mustProblem reads a problem and holds what is true of every one of them.
func mustProblem(t *testing.T, w *httptest.ResponseRecorder) problemBody {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("content type %q with status %d, want a problem; body %q", got, w.Code, w.Body)
	}
	var p problemBody
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("the problem %q is not JSON: %v", w.Body, err)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(w.Code) || p.Status != w.Code || p.Detail == "" {
		t.Errorf("problem %+v does not say what status %d says", p, w.Code)
	}
	if p.RequestID == "" || p.RequestID != w.Header().Get("X-Request-Id") {
		t.Errorf("problem has request id %q, header %q", p.RequestID, w.Header().Get("X-Request-Id"))
	}
	return p
}

// logTo makes a logger that takes everything, and a way to read what it took.
func logTo() (*slog.Logger, func() string) {
	var b lockedBuffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})), b.String
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
