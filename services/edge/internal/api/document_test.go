package api_test

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"helix/edge/internal/api"
)

// document is the OpenAPI document as a test reads it.
type document struct {
	t        *testing.T
	root     map[string]any
	compiler *jsonschema.Compiler
}

func readDocument(t *testing.T) *document {
	t.Helper()
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(api.OpenAPIDocument))
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", root); err != nil {
		t.Fatal(err)
	}
	return &document{t: t, root: root.(map[string]any), compiler: c}
}

// operations are "GET /path" to their place in the document.
func (d *document) operations() map[string]string {
	all := map[string]string{}
	for path, item := range d.root["paths"].(map[string]any) {
		for key := range item.(map[string]any) {
			if key != "parameters" {
				all[strings.ToUpper(key)+" "+path] = "/paths/" + pointerEscape(path) + "/" + key
			}
		}
	}
	return all
}

func pointerEscape(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

// at follows a JSON pointer, and a $ref where it ends at one. It gives the place that it came to.
func (d *document) at(pointer string) (any, string) {
	d.t.Helper()
	var v any = d.root
	for _, part := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~", "%7B", "{", "%7D", "}").Replace(part)
		object, _ := v.(map[string]any)
		next, ok := object[part]
		if !ok {
			return nil, pointer
		}
		v = next
	}
	if object, ok := v.(map[string]any); ok {
		if ref, ok := object["$ref"].(string); ok {
			return d.at(strings.TrimPrefix(ref, "#"))
		}
	}
	return v, pointer
}

func (d *document) statuses(operation string) []string {
	responses, _ := d.at(d.operations()[operation] + "/responses")
	object, _ := responses.(map[string]any)
	return slices.Sorted(maps.Keys(object))
}

// check holds an answer against what the document says of it, body included. It gives the place of
// the response and its body's code.
func (d *document) check(t *testing.T, operation string, status int, header http.Header, body []byte) {
	t.Helper()
	response, place := d.at(d.operations()[operation] + "/responses/" + strconv.Itoa(status))
	if response == nil {
		t.Errorf("%s answers %d, which is not documented: %s", operation, status, body)
		return
	}
	for name, described := range response.(map[string]any)["headers"].(map[string]any) {
		if header.Get(name) == "" {
			t.Errorf("%s %d lacks the documented header %s: %v", operation, status, name, described)
		}
	}
	if !hasBody(status) {
		if len(body) > 0 || header.Get("Content-Type") != "" {
			t.Errorf("%s %d has a body: %q, %s", operation, status, header.Get("Content-Type"), body)
		}
		return
	}
	contentType, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	schema, err := d.compiler.Compile("openapi.json#" + place + "/content/" + pointerEscape(contentType) + "/schema")
	if err != nil {
		t.Errorf("%s %d as %s: %v", operation, status, contentType, err)
		return
	}
	var value any = string(body)
	if strings.HasSuffix(contentType, "json") {
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body)); err != nil {
			t.Errorf("%s %d: %v", operation, status, err)
			return
		}
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s %d answers %s: %v", operation, status, body, err)
	}
}

func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
