package openapitest

import (
	"bytes"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// An Exchange is one request and its answer.
type Exchange struct {
	Method, Path string // the path as it was sent
	Body         []byte
	Status       int
	Header       http.Header // the answer's
	Answer       []byte
}

// Check holds an exchange against the document. What is not described has to be
// refused.
func (d *Document) Check(t testing.TB, x Exchange) {
	t.Helper()
	pattern := d.pattern(x.Path)
	if pattern == "" {
		if !slices.Contains([]int{400, 401, 403, 404}, x.Status) {
			t.Errorf("%s %s is not in the document and got %d", x.Method, x.Path, x.Status)
		}
		return
	}
	operation, pointer := d.operation(pattern, x.Method)
	if operation == nil {
		if x.Header.Get("Allow") == "" || x.Status != http.StatusMethodNotAllowed && x.Method != http.MethodOptions {
			t.Errorf("%s %s is not in the document and got %d", x.Method, x.Path, x.Status)
		}
		return
	}
	d.checkAnswer(t, operation, pointer, x)
	if x.Status < 300 && len(x.Body) > 0 && !strings.HasSuffix(pattern, anyPath) {
		d.checkBody(t, operation, pointer, x.Body)
	}
}

func (d *Document) operation(pattern, method string) (map[string]any, string) {
	item := d.paths[pattern].(map[string]any)
	if _, given := item[strings.ToLower(method)]; method == http.MethodHead && !given {
		method = http.MethodGet
	}
	operation, _ := item[strings.ToLower(method)].(map[string]any)
	return operation, "#/paths/" + escapePointer(pattern) + "/" + strings.ToLower(method)
}

func (d *Document) checkBody(t testing.TB, operation map[string]any, pointer string, body []byte) {
	t.Helper()
	if operation["requestBody"] == nil {
		t.Errorf("%s takes no body and got one", pointer)
		return
	}
	d.validate(t, pointer+"/requestBody/content/application~1json/schema", body)
}

func (d *Document) checkAnswer(t testing.TB, operation map[string]any, pointer string, x Exchange) {
	t.Helper()
	responses := operation["responses"].(map[string]any)
	status := strconv.Itoa(x.Status)
	if responses[status] == nil {
		status = "default"
	}
	response, ok := responses[status].(map[string]any)
	if !ok {
		t.Errorf("%s: status %d is not in the document: %.200s", pointer, x.Status, x.Answer)
		return
	}
	pointer += "/responses/" + status
	if ref, ok := response["$ref"].(string); ok {
		pointer, response = ref, d.at(ref)
	}
	content, _ := response["content"].(map[string]any)
	if len(x.Answer) == 0 || x.Method == http.MethodHead || content["*/*"] != nil {
		return
	}
	media, _, _ := mime.ParseMediaType(x.Header.Get("Content-Type"))
	if content[media] == nil {
		t.Errorf("%s: %q is not in the document", pointer, media)
		return
	}
	if strings.HasSuffix(media, "json") {
		d.validate(t, pointer+"/content/"+escapePointer(media)+"/schema", x.Answer)
	}
}

func (d *Document) validate(t testing.TB, pointer string, text []byte) {
	t.Helper()
	schema, err := d.compile(pointer)
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

// escapePointer writes a key as a segment of a JSON pointer in a URL (RFC 6901).
func escapePointer(s string) string {
	s = strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
	return strings.NewReplacer("{", "%7B", "}", "%7D").Replace(s)
}
