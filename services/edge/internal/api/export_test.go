package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"helix/shared/flows"
)

// What the tests, which stand outside, need to see from inside.
var (
	Routes          = routes
	ParseChange     = parseChange
	OpenAPIDocument = openAPIDocument
	SendTimeout     = responseTimeout
)

// DocumentsAtOnce is how many documents are taken apart at the same time.
const DocumentsAtOnce = documentsAtOnce

// NewAnswers bounds answers by their bytes.
func NewAnswers(most int) func(w http.ResponseWriter, bytes int) (done func()) {
	a := &answers{most: most}
	return a.hold
}

// TurnsTaken is a handler that reads the document {id} and gives how many requests had their turn while it was
// taken apart.
func TurnsTaken(f *flows.Flows, taken *int) http.Handler {
	a := &api{answerer: newAnswerer(nil), flows: f, slots: make(slots, documentsAtOnce)}
	r := chi.NewRouter()
	r.Get("/api/flows/{id}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = a.readDocument(w, r, func(*flows.Document) { *taken = len(a.slots) })
	})
	return r
}
