// Package openapitest holds real HTTP exchanges against the OpenAPI document
// that describes them, so that neither can change without the other:
//
//	document := openapitest.Load(t, text)
//	document.Check(t, openapitest.Exchange{Method: "GET", Path: "/health", Status: 200, Header: header, Answer: body})
//
// Answers may have only fields that the document has, though readers should
// tolerate more: it is the document that would be incomplete.
package openapitest

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// documentURL is what schemas are compiled by; nothing is there.
const documentURL = "https://fairlead.test/openapi.json"

// anyPath ends a pattern that has any number of segments from there on.
const anyPath = "/{path}"

// A Document is an OpenAPI 3.1 document, whose schemas are JSON Schema 2020-12.
// Its methods may be called concurrently.
type Document struct {
	root, paths map[string]any

	mu       sync.Mutex // a compiler is for one goroutine at a time
	compiler *jsonschema.Compiler
}

// Load reads a document.
func Load(t testing.TB, text []byte) *Document {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d := &Document{root: parsed.(map[string]any), compiler: jsonschema.NewCompiler()}
	d.paths = d.root["paths"].(map[string]any)
	d.closeAnswers()
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(documentURL, parsed); err != nil {
		t.Fatal(err)
	}
	return d
}

// closeAnswers has objects with named fields be just these, unless the document
// says otherwise or composes them of several schemas.
func (d *Document) closeAnswers() {
	parts := map[string]bool{}
	walk(d.root, func(node map[string]any) {
		all, _ := node["allOf"].([]any)
		for _, part := range all {
			if ref, ok := part.(map[string]any)["$ref"].(string); ok {
				parts[ref] = true
			}
		}
	})
	schemas := d.at("#/components/schemas")
	for name, schema := range schemas {
		if !parts["#/components/schemas/"+name] {
			walk(schema, closed)
		}
	}
	walk(d.paths, closed)
}

func closed(schema map[string]any) {
	_, named := schema["properties"].(map[string]any)
	for _, open := range []string{"additionalProperties", "allOf", "anyOf", "oneOf", "$ref"} {
		if _, is := schema[open]; is {
			return
		}
	}
	if named && schema["type"] == "object" {
		schema["additionalProperties"] = false
	}
}

// Operations lists what is described, as in "/health get", sorted. Paths of any
// number of segments are left out.
func (d *Document) Operations() []string {
	var all []string
	for pattern, item := range d.paths {
		if strings.HasSuffix(pattern, anyPath) {
			continue
		}
		for method := range item.(map[string]any) {
			if method != "parameters" {
				all = append(all, pattern+" "+method)
			}
		}
	}
	slices.Sort(all)
	return all
}

// Examples calls visit with the example of each request's body.
func (d *Document) Examples(visit func(method, pattern string, example any)) {
	for pattern, item := range d.paths {
		for method, operation := range item.(map[string]any) {
			body, _ := operation.(map[string]any)
			if example := exampleOf(body); example != nil {
				visit(strings.ToUpper(method), pattern, example)
			}
		}
	}
}

func exampleOf(operation map[string]any) any {
	body, _ := operation["requestBody"].(map[string]any)
	content, _ := body["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	return media["example"]
}

// CheckItself compiles every schema and follows every reference.
func (d *Document) CheckItself(t testing.TB) {
	t.Helper()
	for name := range d.at("#/components/schemas") {
		if _, err := d.compile("#/components/schemas/" + name); err != nil {
			t.Error(err)
		}
	}
	ids := map[string]bool{}
	walk(d.root, func(node map[string]any) {
		if ref, ok := node["$ref"].(string); ok && d.at(ref) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
		if id, ok := node["operationId"].(string); ok {
			if ids[id] {
				t.Errorf("operationId %s is there twice", id)
			}
			ids[id] = true
		}
	})
	if d.root["openapi"] != "3.1.0" {
		t.Errorf("version is %v", d.root["openapi"])
	}
}

// pattern returns that of a path, or nothing.
func (d *Document) pattern(path string) string {
	for pattern := range d.paths {
		if begin, ok := strings.CutSuffix(pattern, anyPath); ok && matchesAny(begin, path) {
			return pattern
		}
	}
	for pattern := range d.paths {
		if matches(pattern, path) {
			return pattern
		}
	}
	return ""
}

// matchesAny compares only as many segments as the pattern has.
func matchesAny(begin, path string) bool {
	n := strings.Count(begin, "/")
	segments := strings.SplitN(path, "/", n+2)
	return len(segments) > n && matches(begin, strings.Join(segments[:n+1], "/"))
}

func matches(pattern, path string) bool {
	parts, segments := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(parts, segments, func(part, segment string) bool {
		plain, err := url.PathUnescape(segment)
		return err == nil && (part == plain || strings.HasPrefix(part, "{"))
	})
}

// at follows a reference, to nil if it leads nowhere.
func (d *Document) at(ref string) map[string]any {
	node := d.root
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		node, _ = node[name].(map[string]any)
	}
	return node
}

func (d *Document) compile(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.compiler.Compile(documentURL + pointer)
}

func walk(node any, visit func(map[string]any)) {
	switch node := node.(type) {
	case map[string]any:
		visit(node)
		for _, child := range node {
			walk(child, visit)
		}
	case []any:
		for _, child := range node {
			walk(child, visit)
		}
	}
}
