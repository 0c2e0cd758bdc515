package api

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// embedded is what scripts/web built. all: is needed although no hidden file is served: in a tree that
// was not built yet the folder holds nothing but a placeholder.
//
//go:embed all:page
var embedded embed.FS

// unbuilt is the index of a page that was not built.
//
//go:embed unbuilt.html
var unbuilt []byte

const (
	// assets is the folder of files whose names carry a hash of their content: what such a name stands
	// for never changes.
	assets = "/assets/"
	// flowRoutes begin the addresses of flows. The page itself reads which one is meant.
	flowRoutes = "/flows/"
)

// page holds the files of a page by URL path. They are few and small, so they stay in memory with the
// tags of their content; "/" is index.html.
type page map[string]*pageFile

type pageFile struct {
	contentType string
	// forms are the same content: compressed ones, as far as the build made them, best first, then the plain one.
	forms []pageForm
	// forever says that the name stands for this content and no other.
	forever bool
}

type pageForm struct {
	encoding string // as in Content-Encoding; empty: plain
	content  []byte
	etag     string
}

// encodings are the compressed forms that a build leaves beside a file, best first.
var encodings = []struct{ name, ext string }{{"br", ".br"}, {"gzip", ".gz"}}

// mustReadPage reads all files of the page, the embedded one when files is nil, and leaves out those
// whose names begin with a dot.
func mustReadPage(files fs.FS) page {
	if files == nil {
		sub, err := fs.Sub(embedded, "page")
		if err != nil {
			panic(fmt.Errorf("api: opening the embedded page: %w", err))
		}
		files = sub
	}
	contents := map[string][]byte{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		content, err := fs.ReadFile(files, name)
		contents["/"+name] = content
		return err
	})
	if err != nil {
		panic(fmt.Errorf("api: reading the page: %w", err))
	}
	if _, ok := contents["/index.html"]; !ok {
		contents["/index.html"] = unbuilt
	}
	p := page{}
	for name, content := range contents {
		if isFormOf(name, contents) {
			continue
		}
		f := &pageFile{contentType: contentTypeOf(name), forever: strings.HasPrefix(name, assets)}
		for _, e := range encodings {
			if compressed, ok := contents[name+e.ext]; ok {
				f.forms = append(f.forms, newForm(e.name, compressed))
			}
		}
		f.forms = append(f.forms, newForm("", content))
		p[name] = f
	}
	p["/"] = p["/index.html"]
	return p
}

// isFormOf says whether a file is the compressed form of another one, which is how it is served.
func isFormOf(name string, contents map[string][]byte) bool {
	for _, e := range encodings {
		if plain, ok := strings.CutSuffix(name, e.ext); ok {
			_, is := contents[plain]
			return is
		}
	}
	return false
}

func newForm(encoding string, content []byte) pageForm {
	sum := sha256.Sum256(content)
	return pageForm{encoding, content, `"` + hex.EncodeToString(sum[:8]) + `"`}
}

// file finds what a path stands for. Every address of a flow is the page, whatever the flow's id looks like.
func (p page) file(urlPath string) (*pageFile, bool) {
	if id, ok := strings.CutPrefix(urlPath, flowRoutes); ok && id != "" {
		urlPath = "/"
	}
	f, ok := p[urlPath]
	return f, ok
}

// servePage answers every path that is no route: with a file of the page, or with a 404. The files
// are no routes so that an unknown path stays unknown whatever the method.
func (a *api) servePage(w http.ResponseWriter, r *http.Request) {
	f, ok := a.page.file(r.URL.Path)
	if !ok {
		a.notFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		a.refuse(w, r, errMethod)
		return
	}
	form := f.bestFor(r.Header.Values("Accept-Encoding"))
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	if f.forever {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache") // ask each time whether it is still the same
	}
	if len(f.forms) > 1 {
		h.Set("Vary", "Accept-Encoding")
	}
	if form.encoding != "" {
		h.Set("Content-Encoding", form.encoding)
		h.Set("Content-Length", strconv.Itoa(len(form.content))) // which ServeContent leaves to us then
	}
	h.Set("ETag", form.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(form.content))
}

// bestFor gives the best form that a client takes; the plain one when it names none of them.
func (f *pageFile) bestFor(accept []string) pageForm {
	takes := acceptedEncodings(accept)
	for _, form := range f.forms[:len(f.forms)-1] {
		if takes(form.encoding) {
			return form
		}
	}
	return f.forms[len(f.forms)-1]
}

// acceptedEncodings reads Accept-Encoding (RFC 9110, 12.5.3) as far as it matters here: what has a
// weight over zero is taken, and which of the taken ones is best is ours to say.
func acceptedEncodings(headers []string) func(encoding string) bool {
	taken := map[string]bool{}
	for _, part := range strings.Split(strings.Join(headers, ","), ",") {
		name, parameters, _ := strings.Cut(part, ";")
		weight := 1.0
		for _, parameter := range strings.Split(parameters, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
			if strings.EqualFold(key, "q") {
				q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				if err != nil {
					q = 0 // not understood: safer not to send it
				}
				weight = q
			}
		}
		taken[strings.ToLower(strings.TrimSpace(name))] = weight > 0
	}
	return func(encoding string) bool {
		if yes, named := taken[encoding]; named {
			return yes
		}
		return taken["*"]
	}
}

// contentTypes come before those of the operating system, where scripts are text/plain at times, and
// a browser that may not sniff runs no such script.
var contentTypes = map[string]string{
	".html":        "text/html; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".mjs":         "text/javascript; charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".md":          "text/plain; charset=utf-8",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".webmanifest": "application/manifest+json",
	".woff2":       "font/woff2",
}

func contentTypeOf(name string) string {
	ext := path.Ext(name)
	if t, ok := contentTypes[ext]; ok {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}
