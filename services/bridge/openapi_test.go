package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A document is openapi.json, ready to hold exchanges against. Schemas of
// OpenAPI 3.1 are JSON Schema 2020-12.
type document struct {
	paths map[string]any
	root  map[string]any

	mu       sync.Mutex // a compiler is for one goroutine at a time
	compiler *jsonschema.Compiler
}

const documentURL = "https://fairlead.test/openapi.json"

func loadDocument(t *testing.T) *document {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	d := &document{root: parsed.(map[string]any), compiler: jsonschema.NewCompiler()}
	d.paths = d.root["paths"].(map[string]any)
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(documentURL, parsed); err != nil {
		t.Fatal(err)
	}
	return d
}

// check holds one exchange against the document.
func (d *document) check(t *testing.T, method, path string, body []byte, x exchange) {
	t.Helper()
	pattern := d.pattern(path)
	if pattern == "" {
		if !slices.Contains([]int{400, 401, 403, 404}, x.status) {
			t.Errorf("%s %s is not in the document and got %d", method, path, x.status)
		}
		return
	}
	operation, pointer := d.operation(pattern, method)
	if operation == nil {
		if x.header.Get("Allow") == "" || x.status != http.StatusMethodNotAllowed && method != http.MethodOptions {
			t.Errorf("%s %s is not in the document and got %d", method, path, x.status)
		}
		return
	}
	d.checkResponse(t, method, operation, pointer, x)
	if x.status < 300 && len(body) > 0 && !strings.HasPrefix(pattern, callPrefix) {
		d.checkRequest(t, operation, pointer, body)
	}
}

func (d *document) pattern(path string) string {
	if strings.HasPrefix(path, callPrefix) {
		return callPrefix + "{service}/{path}"
	}
	segments, err := split(path)
	if err != nil {
		return ""
	}
	for pattern := range d.paths {
		if _, ok := match(pattern, segments); ok {
			return pattern
		}
	}
	return ""
}

func (d *document) operation(pattern, method string) (map[string]any, string) {
	item := d.paths[pattern].(map[string]any)
	if _, given := item[strings.ToLower(method)]; method == http.MethodHead && !given {
		method = http.MethodGet
	}
	operation, _ := item[strings.ToLower(method)].(map[string]any)
	return operation, "#/paths/" + escapePointer(pattern) + "/" + strings.ToLower(method)
}

func (d *document) checkRequest(t *testing.T, operation map[string]any, pointer string, body []byte) {
	t.Helper()
	if operation["requestBody"] == nil {
		t.Errorf("%s takes no body and got one", pointer)
		return
	}
	d.validate(t, pointer+"/requestBody/content/application~1json/schema", body)
}

func (d *document) checkResponse(t *testing.T, method string, operation map[string]any, pointer string, x exchange) {
	t.Helper()
	responses := operation["responses"].(map[string]any)
	status := strconv.Itoa(x.status)
	if responses[status] == nil {
		status = "default"
	}
	response, ok := responses[status].(map[string]any)
	if !ok {
		t.Errorf("%s: status %d is not in the document: %.200s", pointer, x.status, x.body)
		return
	}
	pointer += "/responses/" + status
	if ref, ok := response["$ref"].(string); ok {
		pointer, response = ref, d.at(ref)
	}
	content, _ := response["content"].(map[string]any)
	if len(x.body) == 0 || method == http.MethodHead || content["*/*"] != nil {
		return
	}
	media, _, _ := mime.ParseMediaType(x.header.Get("Content-Type"))
	if content[media] == nil {
		t.Errorf("%s: %q is not in the document", pointer, media)
		return
	}
	if strings.HasSuffix(media, "json") {
		d.validate(t, pointer+"/content/"+escapePointer(media)+"/schema", x.body)
	}
}

func (d *document) at(ref string) map[string]any {
	node := d.root
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		node, _ = node[name].(map[string]any)
	}
	return node
}

func (d *document) validate(t *testing.T, pointer string, text []byte) {
	t.Helper()
	d.mu.Lock()
	schema, err := d.compiler.Compile(documentURL + pointer)
	d.mu.Unlock()
	if err != nil {
		t.Errorf("%s: %v", pointer, err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Errorf("%s: %v in %.200s", pointer, err, text)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v\n%.300s", pointer, err, text)
	}
}

func escapePointer(s string) string {
	s = strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
	return strings.NewReplacer("{", "%7B", "}", "%7D").Replace(s)
}

// TestDocumentHasEveryRoute walks both, so that neither can have what the
// other lacks.
func TestDocumentHasEveryRoute(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Metrics = http.NotFoundHandler() })
	var served, described []string
	for _, route := range g.bridge.routed {
		for method := range route.methods {
			served = append(served, route.pattern+" "+strings.ToLower(method))
		}
	}
	for pattern, item := range g.doc.paths {
		if strings.HasPrefix(pattern, callPrefix) {
			continue
		}
		for method := range item.(map[string]any) {
			if method != "parameters" {
				described = append(described, pattern+" "+method)
			}
		}
	}
	slices.Sort(served)
	slices.Sort(described)
	if !slices.Equal(served, described) {
		t.Errorf("served:\n%s\ndescribed:\n%s", strings.Join(served, "\n"), strings.Join(described, "\n"))
	}
}

// TestDocumentHangsTogether compiles every schema and follows every reference.
func TestDocumentHangsTogether(t *testing.T) {
	d := loadDocument(t)
	for name := range d.at("#/components/schemas") {
		if _, err := d.compiler.Compile(documentURL + "#/components/schemas/" + name); err != nil {
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

// TestExamplesAreAccepted sends every example of a request body.
func TestExamplesAreAccepted(t *testing.T) {
	g := newRig(t, nil)
	fill := strings.NewReplacer("{realm}", "local", "{service}", "identity", "{instance}", "host001-5000", settingName, "GREETING")
	sent := 0
	for pattern, item := range g.doc.paths {
		for method, operation := range item.(map[string]any) {
			body, _ := operation.(map[string]any)
			example := exampleOf(body)
			if example == nil {
				continue
			}
			text, err := json.Marshal(example)
			if err != nil {
				t.Fatal(err)
			}
			if x := g.do(strings.ToUpper(method), fill.Replace(pattern), string(text)); x.status >= 300 {
				t.Errorf("the example of %s %s got %d: %s", method, pattern, x.status, x.body)
			}
			sent++
		}
	}
	if sent < 4 {
		t.Error(fmt.Errorf("only %d examples were found", sent))
	}
}

func exampleOf(operation map[string]any) any {
	body, _ := operation["requestBody"].(map[string]any)
	content, _ := body["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	return media["example"]
}
