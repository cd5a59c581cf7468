package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fairlead.dev/connect"
)

// callersEach is how many callers there are of each kind.
const callersEach = 4

func TestSIGTERMOfAServiceUnderLoadLosesNoRequest(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	workers := map[string]*process{}
	for _, id := range []string{"worker-1", "worker-2"} {
		workers[id] = r.startWorker(t, id)
	}
	l := r.load(t, r.startSidecar(t), r.open(t))
	ended := []*process{}
	for _, id := range []string{"worker-1", "worker-2", "worker-1"} {
		l.flows(t)
		workers[id].stop()
		ended = append(ended, workers[id])
		workers[id] = r.startWorker(t, id)
	}
	l.flows(t)
	for _, c := range l.callers {
		c.stop()
	}
	for _, p := range workers {
		p.stop()
		ended = append(ended, p)
	}
	l.check(t, ended)
}

// A load is requests of two methods on two ways.
type load struct {
	callers   []*caller
	got, post atomic.Int64
}

func (r *realm) load(t *testing.T, sidecar string, session *connect.Session) *load {
	t.Helper()
	l := &load{}
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * callersEach}
	t.Cleanup(transport.CloseIdleConnections)
	plain := &http.Client{Transport: transport, Timeout: patience}
	for n := range callersEach {
		method, count := http.MethodGet, &l.got
		if n%2 == 0 {
			method, count = http.MethodPost, &l.post
		}
		l.add(t, "through a sidecar", plain, sidecar, method, count)
		l.add(t, "by a smart client", session.Client(), "service://worker", method, count)
	}
	return l
}

func (l *load) add(t *testing.T, way string, client doer, base, method string, count *atomic.Int64) {
	t.Helper()
	name := fmt.Sprint(len(l.callers))
	l.callers = append(l.callers, startCaller(t, method+" "+way, func(ctx context.Context, n int) error {
		count.Add(1)
		return doWork(ctx, client, base, method, fmt.Sprintf("%s-%d", name, n))
	}))
}

// doWork asks a worker; a POST has a body, which the answer repeats.
func doWork(ctx context.Context, client doer, base, method, id string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body := ""
	if method == http.MethodPost {
		body = " and more"
	}
	req, err := http.NewRequestWithContext(ctx, method, base+"/tasks/"+id, strings.NewReader(body))
	if err != nil {
		return err
	}
	if req.URL.Scheme == "http" {
		req.Header.Set("Fairlead-Service", "worker")
	}
	return askFor(client, req, method+" "+id+body)
}

// flows waits until every caller has got a number of answers more.
func (l *load) flows(t *testing.T) {
	t.Helper()
	for _, c := range l.callers {
		so := c.answered.Load()
		within(t, patience, c.how+" goes on", func() bool { return c.answered.Load() >= so+10 })
	}
}

// check holds what the callers saw against what the workers counted.
func (l *load) check(t *testing.T, workers []*process) {
	t.Helper()
	for _, c := range l.callers {
		if lost := c.lost.Load(); lost != nil {
			t.Errorf("%s: %s", c.how, *lost)
		}
	}
	done := map[string]int64{}
	for _, p := range workers {
		if code := p.code(t); code != 0 {
			t.Errorf("%s ended with exit code %d", p.name, code)
		}
		for method, n := range decode[tally](t, lastLine(p.said.String())).ByMethod {
			done[method] += int64(n)
		}
	}
	t.Logf("%d GETs and %d POSTs; the workers did %v", l.got.Load(), l.post.Load(), done)
	if done[http.MethodPost] != l.post.Load() {
		t.Errorf("%d POSTs were sent, and done %d times", l.post.Load(), done[http.MethodPost])
	}
	if done[http.MethodGet] < l.got.Load() {
		t.Errorf("%d GETs were sent, and done %d times", l.got.Load(), done[http.MethodGet])
	}
}

func TestARequestUnderWayIsFinishedBeforeAServiceEnds(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	worker := r.startWorker(t, "worker-1")
	header := "Fairlead-Service: worker"
	within(t, time.Second, "the sidecar knows it", func() bool { return curl(t, "-H", header, r.Sidecar+"/tasks/1").status == 200 })
	callers := []*process{
		start(t, "curl", nil, need(t, "curl"), "-q", "-sS", "-X", "POST", "-H", header, r.Sidecar+"/slow"),
		start(t, "fairlead call", nil, fairlead, "call", "--nats-url", r.NATS, "POST", "service://worker/slow"),
	}
	within(t, patience, "both requests are under way", func() bool { return strings.Count(worker.said.String(), "slow work begins") == 2 })
	worker.stop()
	for _, p := range callers {
		if code := p.code(t); code != 0 || p.said.String() != "slow work is done" {
			t.Errorf("%s ended with exit code %d and says %q", p.name, code, p.said.String())
		}
	}
	if got := curl(t, "-H", header, r.Sidecar+"/tasks/2"); got.status != 503 || !contains(got.body, `"processed":"no"`) {
		t.Errorf("afterwards: %d %s", got.status, got.body)
	}
	if in, listed := r.instances(t, "worker")["worker-1"]; listed {
		t.Errorf("it is still listed: %+v", in)
	}
}
