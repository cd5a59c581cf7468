package acceptance

import (
	"os"
	"syscall"
	"testing"

	"fairlead.dev/registry"
)

// A host's requests stay in its zone, and leave it when nobody there answers.
func TestRequestsStayInTheZone(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	near := start(t, "near", append(r.member("near"), "FAIRLEAD_ZONE=a"), fairlead, "example", "identity")
	start(t, "far", append(r.member("far"), "FAIRLEAD_ZONE=b"), fairlead, "example", "identity")
	for _, id := range []string{"near", "far"} {
		r.await(t, patience, "identity", id, "passes", passes)
	}
	// The sockets of haproxy have no room for the folder of a test.
	data, err := os.MkdirTemp("", "fl-zone")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	var builtin, haproxy addresses
	p, file := startPart(t, "sidecar", []string{"FAIRLEAD_ZONE=a"}, "sidecar", "--addr", "127.0.0.1:0", "--nats-url", r.NATS)
	p.awaitReady(t, file, &builtin)
	startReady(t, "haproxy", &haproxy, "sidecar", "--addr", "127.0.0.1:0", "--plane", "haproxy", "--zone", "a", "--data", data, "--nats-url", r.NATS)
	if said := r.succeed(t, "explain", "identity", "--sidecar", "--sidecar-addr", hostOf(builtin.Sidecar)); !contains(said, "identity: 2 of 2 instances in") {
		t.Errorf("before its first use it is explained as %s", said)
	}
	planes := map[string]string{"built-in": builtin.Sidecar, "haproxy": haproxy.Sidecar}
	for name, url := range planes {
		within(t, patience, "requests by "+name+" stay in the zone", func() bool { return answers(t, url, 40)["near"] >= 39 })
	}
	if said := r.succeed(t, "explain", "identity", "--sidecar", "--sidecar-addr", hostOf(builtin.Sidecar)); !contains(said, "out: in another zone, and this one has instances") {
		t.Errorf("in use it is explained as %s", said)
	}
	near.signal(syscall.SIGKILL)
	for name, url := range planes {
		if got := answers(t, url, 40); got["far"] != 40 {
			t.Errorf("by %s, once nobody is left in the zone, answered %v", name, got)
		}
	}
	r.await(t, patience, "identity", "near", "is gone", isGone)
}

// answers counts who answers requests for identity.
func answers(t *testing.T, url string, n int) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for range n {
		counts[decode[registry.Key](t, expect(t, 200, "-H", byHeader, url+"/count")).Instance]++
	}
	return counts
}
