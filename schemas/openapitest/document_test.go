package openapitest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const small = `{
  "openapi": "3.1.0",
  "paths": {
    "/things/{thing}": {"get": {"operationId": "thing", "responses": {
      "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
      "404": {"description": "there is none"}}}},
    "/call/{service}/{path}": {"get": {"operationId": "call", "responses": {"default": {"content": {"*/*": {}}}}}}
  },
  "components": {"schemas": {"Thing": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}}
}`

// A listener notes what a test would fail of.
type listener struct {
	testing.TB
	heard []string
}

func (*listener) Helper() {}

func (l *listener) Errorf(format string, _ ...any) { l.heard = append(l.heard, format) }

func TestWhatIsHeldAgainstAnAnswer(t *testing.T) {
	document := Load(t, []byte(small))
	document.CheckItself(t)
	if got := document.Operations(); !slices.Equal(got, []string{"/things/{thing} get"}) {
		t.Errorf("operations are %v", got)
	}
	for name, tc := range map[string]struct {
		path, answer, media string
		status              int
		wrong               bool
	}{
		"as described":             {path: "/things/a", status: 200, answer: `{"name":"a"}`},
		"an escaped name":          {path: "/things/a%2Fb", status: 200, answer: `{"name":"a"}`},
		"nothing to say":           {path: "/things/a", status: 404},
		"a field is missing":       {path: "/things/a", status: 200, answer: `{}`, wrong: true},
		"a field is not described": {path: "/things/a", status: 200, answer: `{"name":"a","age":1}`, wrong: true},
		"a status is not":          {path: "/things/a", status: 500, wrong: true},
		"a media type is not":      {path: "/things/a", status: 200, answer: `{"name":"a"}`, media: "text/plain", wrong: true},
		"no JSON":                  {path: "/things/a", status: 200, answer: `{`, wrong: true},
		"a path is not, refused":   {path: "/nothing", status: 404},
		"a path is not, answered":  {path: "/nothing", status: 200, wrong: true},
		"any path below":           {path: "/call/identity/users/1", status: 418, answer: "a teapot"},
		"and none":                 {path: "/call/identity/", status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			media := "application/json; charset=utf-8"
			if tc.media != "" {
				media = tc.media
			}
			l := &listener{TB: t}
			document.Check(l, Exchange{
				Method: http.MethodGet, Path: tc.path, Status: tc.status, Header: http.Header{"Content-Type": {media}}, Answer: []byte(tc.answer),
			})
			if (len(l.heard) > 0) != tc.wrong {
				t.Errorf("held against it: %v", strings.Join(l.heard, "; "))
			}
		})
	}
}
