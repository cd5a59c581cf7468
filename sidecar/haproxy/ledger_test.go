package haproxy

import (
	"testing"
	"time"

	"fairlead.dev/registry"
)

func (l *live) requests(service, instance string) int64 {
	l.t.Helper()
	requests, _, _, err := l.ledger.sums(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return requests[tally{service, instance, "2xx"}]
}

// TestCountersAreTheRequests: also across the deletion of a server and a
// reload, and not for one that is disabled.
func TestCountersAreTheRequests(t *testing.T) {
	opts := options(t)
	opts.Compare, opts.Quarantine = 50*time.Millisecond, 100*time.Millisecond
	l := run(t, opts)
	a, b := serving(t, "identity", "a"), serving(t, "identity", "b")
	sent := map[string]int64{}
	ask := func(n int) {
		t.Helper()
		for range n {
			sent[l.get("identity")]++
		}
		for id, want := range sent {
			if got := l.requests("identity", id); got != want {
				t.Errorf("%s answered %d, haproxy counts %d", id, want, got)
			}
		}
	}
	l.set(a, b)
	ask(20)
	off := b
	off.Enabled = false
	l.set(a, off)
	before := sent["b"]
	ask(10)
	l.set(a)
	within(t, "the server's deletion", patience, func() bool { return l.Status().Leaving == 0 })
	l.set(a, b)
	ask(10)
	if sent["b"] <= before || sent["a"]+sent["b"] != 40 {
		t.Errorf("answers were %v", sent)
	}
	a.Service = "orders"
	var more []registry.Instance
	for _, name := range []string{"c", "d", "e", "f", "g", "h", "i", "j"} {
		in := a
		in.Service = name
		more = append(more, in)
	}
	l.set(append(more, b)...)
	delete(sent, "a")
	ask(10)
	if s := l.Status(); s.Reloads != 1 {
		t.Errorf("status is %+v", s)
	}
}
