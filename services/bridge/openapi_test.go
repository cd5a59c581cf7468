package bridge

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"fairlead.dev/schemas/openapitest"
)

// TestDocumentHasEveryRoute walks both, so that neither can have what the
// other lacks.
func TestDocumentHasEveryRoute(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Metrics = http.NotFoundHandler() })
	var served []string
	for _, route := range g.bridge.routed {
		for method := range route.methods {
			served = append(served, route.pattern+" "+strings.ToLower(method))
		}
	}
	slices.Sort(served)
	if described := g.doc.Operations(); !slices.Equal(served, described) {
		t.Errorf("served:\n%s\ndescribed:\n%s", strings.Join(served, "\n"), strings.Join(described, "\n"))
	}
}

func TestDocumentHangsTogether(t *testing.T) { openapitest.Load(t, openAPI).CheckItself(t) }

// TestExamplesAreAccepted sends every example of a request body.
func TestExamplesAreAccepted(t *testing.T) {
	g := newRig(t, nil)
	fill := strings.NewReplacer("{realm}", "local", "{service}", "identity", "{instance}", "host001-5000", settingName, "GREETING")
	sent := 0
	g.doc.Examples(func(method, pattern string, example any) {
		text, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		if x := g.do(method, fill.Replace(pattern), string(text)); x.status >= 300 {
			t.Errorf("the example of %s %s got %d: %s", method, pattern, x.status, x.body)
		}
		sent++
	})
	if sent < 4 {
		t.Errorf("only %d examples were found", sent)
	}
}
