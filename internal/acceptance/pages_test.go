package acceptance

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"fairlead.dev/schemas/openapitest"
)

// Everybody who has an OpenAPI document serves it, and answers as it says.
func TestPagesAreAsDescribed(t *testing.T) {
	t.Parallel()
	r, dir, s := startRealm(t), t.TempDir(), startSite(t)
	declare(t, dir, "site.yaml", "name: site\ninstance: by-file\nport: %d\nhealth: /\n", s.port)
	// The sockets of haproxy have no room for the folder of a test.
	data, err := os.MkdirTemp("", "fl-pages")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	var builtin, haproxy addresses
	startReady(t, "sidecar", &builtin, "sidecar", "--addr", "127.0.0.1:0", "--services-d", dir, "--nats-url", r.NATS)
	startReady(t, "haproxy", &haproxy, "sidecar", "--addr", "127.0.0.1:0", "--plane", "haproxy", "--data", data, "--nats-url", r.NATS)
	r.await(t, patience, "site", "by-file", "passes", passes)

	for name, base := range map[string]string{"up's sidecar": r.Sidecar, "sidecar": builtin.Sidecar, "haproxy's sidecar": haproxy.Sidecar, "bridge": r.HTTP} {
		t.Run(name, func(t *testing.T) { askAll(t, base) })
	}
}

// askAll sends every GET of a document that its server has.
func askAll(t *testing.T, base string) {
	document := openapitest.Load(t, get(t, base, "/openapi.json").Answer)
	fill := strings.NewReplacer("{realm}", "local", "{service}", "site", "{instance}", "by-file", "{name}", "GREETING")
	for _, operation := range document.Operations() {
		path, method, _ := strings.Cut(operation, " ")
		if method == "get" && !strings.HasSuffix(path, "/routes") { // which go on for ever
			document.Check(t, get(t, base, fill.Replace(path)))
		}
	}
}

func get(t *testing.T, base, path string) openapitest.Exchange {
	t.Helper()
	res, err := http.Get(base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return openapitest.Exchange{Method: http.MethodGet, Path: path, Status: res.StatusCode, Header: res.Header, Answer: body}
}
