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
	"strings"
	"time"
)

// all: is needed although no hidden file is served: the folder of vendored scripts may hold nothing
// else in a tree that was not built yet.
//
//go:embed all:page
var embedded embed.FS

// page holds the files of a page by URL path. They are few and small, so they stay in memory with the
// tag of their content; "/" is index.html.
type page map[string]pageFile

type pageFile struct {
	content     []byte
	contentType string
	etag        string
}

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
	p := page{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		p["/"+name] = pageFile{content, contentTypeOf(name), `"` + hex.EncodeToString(sum[:8]) + `"`}
		return nil
	})
	if err != nil {
		panic(fmt.Errorf("api: reading the page: %w", err))
	}
	if index, ok := p["/index.html"]; ok {
		p["/"] = index
	}
	return p
}

// servePage answers every path that is no route: with a file of the page, or with a 404. The files
// are no routes so that an unknown path stays unknown whatever the method.
func (a *api) servePage(w http.ResponseWriter, r *http.Request) {
	f, ok := a.page[r.URL.Path]
	if !ok {
		a.notFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		a.refuse(w, r, errMethod)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	// No hash is in the names: ask each time whether the file is still the same.
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}

// contentTypes come before those of the operating system, where scripts are text/plain at times, and
// a browser that may not sniff runs no such script.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".json": "application/json",
	".map":  "application/json",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
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
