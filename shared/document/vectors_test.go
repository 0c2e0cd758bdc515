package document_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"helix/shared/document"
)

// vector is one entry of testdata/*.json, which services/web/client reads too; each file says what its
// members mean.
type vector struct {
	Name     string
	Document json.RawMessage
	Patch    json.RawMessage
	Patches  []json.RawMessage
	Expect   json.RawMessage
	Refused  string
	Most     *int
}

func vectors(t *testing.T, name string) []vector {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		About   string
		Vectors []vector
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(file.Vectors) == 0 {
		t.Fatalf("%s has no vectors", name)
	}
	names := map[string]bool{}
	for _, v := range file.Vectors {
		if v.Name == "" || names[v.Name] || (v.Refused == "") == (v.Expect == nil) {
			t.Fatalf("%s: %q must have a name of its own, and expect either a document or a refusal", name, v.Name)
		}
		names[v.Name] = true
	}
	return file.Vectors
}

func TestApply_makesWhatEveryVectorExpects(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "apply.json") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			d, err := document.Parse(v.Document, document.Limits{})
			if v.Refused == "document" {
				if !errors.Is(err, document.ErrNotObject) {
					t.Fatalf("%s is taken for a document: %v", v.Document, err)
				}
				return
			}
			must(t, err)
			before := text(d)
			err = d.Apply(v.Patch)
			if v.Refused == "patch" {
				if !errors.Is(err, document.ErrNotObject) || text(d) != before {
					t.Fatalf("%s is taken for a patch: %v, and makes %s", v.Patch, err, text(d))
				}
				return
			}
			must(t, err)
			if !same(t, d, v.Expect) {
				t.Fatalf("%s and %s make %s", v.Document, v.Patch, text(d))
			}
		})
	}
}

func TestRun_composesEveryVector_whateverOfTheRunADocumentHas(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "compose.json") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			if v.Most == nil {
				t.Fatal("the vector does not say how many patches the composition may have")
			}
			var run document.Run
			for _, p := range v.Patches {
				must(t, run.Add(p))
			}
			composed := run.AppendPatches(nil)
			if len(composed) > *v.Most {
				t.Errorf("%d patches: %q", len(composed), composed)
			}
			for had := range len(v.Patches) + 1 {
				d := parse(t, string(v.Document))
				for _, p := range v.Patches[:had] {
					must(t, d.Apply(p))
				}
				for _, p := range composed {
					must(t, d.Apply(p))
				}
				if !same(t, d, v.Expect) {
					t.Errorf("%q on what has %d patches makes %s", composed, had, text(d))
				}
			}
			d := parse(t, string(v.Document))
			for _, p := range v.Patches {
				must(t, d.Apply(p))
			}
			if !same(t, d, v.Expect) {
				t.Errorf("applied in turn they make %s", text(d))
			}
		})
	}
}

func same(t *testing.T, d *document.Document, want []byte) bool {
	t.Helper()
	return reflect.DeepEqual(meaning(t, text(d)), meaning(t, string(want)))
}
