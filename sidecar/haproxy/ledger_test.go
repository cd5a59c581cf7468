package haproxy

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/planetest"
)

func (l *live) requests(service, instance string) int64 {
	l.t.Helper()
	_, sent, err := l.ledger.sums(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return sent[tally{service, instance, "2xx", ""}].count
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

// TestWhatFailsIsCounted: attempts at the instance that failed, and what the
// caller got for it once.
func TestWhatFailsIsCounted(t *testing.T) {
	l := run(t, options(t))
	refusing := planetest.Refusing(t)
	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer broken.Close()
	failing := httptest.NewServer(http.NotFoundHandler())
	defer failing.Close()
	l.set(serving(t, "identity", "a"), planetest.Instance("identity", "refusing", refusing, 5), planetest.Instance("unreachable", "refusing", refusing, 6),
		planetest.Instance("broken", "b", broken.Listener.Addr().String(), 7), planetest.Instance("missing", "m", failing.Listener.Addr().String(), 8))
	for range 6 {
		if got := l.get("identity"); got != "a" {
			t.Fatalf("got %s", got)
		}
	}
	for _, service := range []string{"unreachable", "broken", "missing", "unknown"} {
		l.get(service)
	}
	var served, sent totals
	within(t, "everything is counted", patience, func() (all bool) {
		var err error
		if served, sent, err = l.ledger.sums(t.Context()); err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, n := range served {
			sum += n.count
		}
		return sum == 10
	})
	for of, want := range map[tally]int64{
		{"identity", "", "2xx", ""}: 6, {"unreachable", "", "5xx", "unreachable"}: 1, {"broken", "", "5xx", "no-answer"}: 1,
		{"missing", "", "4xx", ""}: 1, {"", "", "5xx", "refused"}: 1,
	} {
		if served[of].count != want {
			t.Errorf("%d of %v were served: %v", served[of].count, of, served)
		}
	}
	// HAProxy tries thrice where there is nobody else.
	for of, want := range map[tally]int64{
		{"identity", "a", "2xx", ""}: 6, {"unreachable", "refusing", "", "unreachable"}: 1, {"unreachable", "refusing", "", "retried"}: 2,
		{"broken", "b", "", "no-answer"}: 1, {"broken", "b", "", "retried"}: 2, {"missing", "m", "4xx", "4xx"}: 1,
	} {
		if sent[of].count != want {
			t.Errorf("%d of %v were sent: %v", sent[of].count, of, sent)
		}
	}
	if n := sent[tally{"identity", "refusing", "", "retried"}].count; n == 0 {
		t.Errorf("no attempt was in vain: %v", sent)
	}
}

// TestWhatIsProduced: a histogram without bounds, whose sum is an estimate.
func TestWhatIsProduced(t *testing.T) {
	p := newPlane(t, options(t))
	p.ledger.served.add(tally{"identity", "", "5xx", "timeout"}, 3, 0.5)
	p.ledger.sent.add(tally{"identity", "a", "2xx", ""}, 2, 0.25)
	all, err := p.Produce(t.Context())
	if err == nil {
		t.Error("no haproxy runs, and that is no error")
	}
	got := map[string]string{}
	for _, m := range all[0].Metrics {
		for _, point := range m.Data.(metricdata.Histogram[float64]).DataPoints {
			got[m.Name] = fmt.Sprintf("%d %g %s", point.Count, point.Sum, point.Attributes.Encoded(attribute.DefaultEncoder()))
		}
	}
	want := map[string]string{
		"http.server.request.duration": "3 1.5 error.type=timeout,fairlead.realm=local,fairlead.service=identity,http.response.status_code=5xx,url.scheme=http",
		"http.client.request.duration": "2 0.5 fairlead.instance=a,fairlead.realm=local,fairlead.service=identity,http.response.status_code=2xx,server.address=identity",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
