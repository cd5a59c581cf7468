package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"fairlead.dev/registry"
)

// declare writes a declaration as an editor would.
func declare(t *testing.T, dir, name, format string, args ...any) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAProgramIsRegisteredByAFile(t *testing.T) {
	t.Parallel()
	r, dir, s := startRealm(t), t.TempDir(), startSite(t)
	var at addresses
	sidecar := startReady(t, "sidecar", &at, "sidecar", "--addr", "127.0.0.1:0", "--services-d", dir, "--nats-url", r.NATS)
	declare(t, dir, "site.yaml", "name: site\ninstance: by-file\nport: %d\nhealth: /\ntags: [blue]\n", s.port)
	r.await(t, patience, "site", "by-file", "passes", func(in registry.Instance, listed bool) bool {
		return passes(in, listed) && in.Metadata["tags"] == "blue"
	})
	expect(t, 200, "-H", "Fairlead-Service: site", at.Sidecar+"/")

	declare(t, dir, "site.yaml", "name: site\nprt: %d\n", s.port)
	within(t, patience, "the sidecar names file, line and field", func() bool {
		return contains(sidecar.said.String(), "file=site.yaml", "line 2: prt: is no field of a service")
	})
	expect(t, 200, "-H", "Fairlead-Service: site", at.Sidecar+"/")
	if body := expect(t, 200, at.Sidecar+"/attended"); !contains(body, `"instance":"by-file","status":"passing","problem":"line 2`) {
		t.Errorf("the sidecar tells %s", body)
	}

	if err := os.Remove(filepath.Join(dir, "site.yaml")); err != nil {
		t.Fatal(err)
	}
	r.await(t, patience, "site", "by-file", "is draining", func(in registry.Instance, listed bool) bool {
		return listed && in.Status == registry.Draining
	})
	r.await(t, patience, "site", "by-file", "is gone", isGone)
}
