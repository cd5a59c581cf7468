package acceptance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

const (
	// backWithin is how soon after the start everybody is in every table.
	backWithin = 3 * time.Second
	// flagWithin is how soon a flag is.
	flagWithin = time.Second
)

func TestAfterASIGKILLEverythingIsThereAgain(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	before := o.instances(t, "identity")["identity-1"]
	o.happens(t)
	if in := o.instances(t, "identity")["identity-1"]; in.Incarnation != before.Incarnation || !in.Since.Equal(before.Since) {
		t.Errorf("its registration was %+v and is %+v", before, in)
	}
	o.everybodyIsBack(t)
	if in := o.instances(t, "identity")["identity-2"]; in.Enabled || in.Reason != "bad disk" || in.Owner != "jane" {
		t.Errorf("its flag is lost: %+v", in)
	}
	o.aFlagReachesEveryTable(t)
	o.theKilledOneIsGone(t)
	// A flag that was set before there was an instance.
	start(t, "identity-9", o.member("identity-9"), fairlead, "example", "identity")
	o.await(t, patience, "identity", "identity-9", "is disabled from its start", isDisabled)
	o.noRequestWasLost(t)
}

func TestAfterASIGKILLAndWithoutItsDataEverybodyIsThereAgain(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.wipe = true
	o.happens(t)
	o.everybodyIsBack(t)
	o.aFlagReachesEveryTable(t)
	o.theKilledOneIsGone(t)
	o.noRequestWasLost(t)
}

// An outage is a realm whose control plane dies. There are three routing
// tables beside the bridge's: that of a sidecar in a process of its own, that
// of a smart client, and the one of `up` itself.
type outage struct {
	*realm
	wipe    bool
	sidecar string
	session *connect.Session
	killed  *process
	callers []*caller
	began   time.Time // when the control plane was started again
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{realm: startRestartable(t)}
	o.sidecar = o.startSidecar(t)
	for _, id := range []string{"identity-1", "identity-2", "identity-3", "identity-4"} {
		p := o.startIdentity(t, id)
		if id == "identity-3" {
			o.killed = p
		}
	}
	o.startGreeting(t, "greeting-1")
	s := startSite(t)
	start(t, "keep-registered", nil, "sh", filepath.Join("testdata", "keep-registered.sh"), o.instanceURL("site", "by-hand"), s.registration())
	for service, id := range map[string]string{"greeting": "greeting-1", "site": "by-hand"} {
		o.await(t, patience, service, id, "passes", passes)
	}
	o.succeed(t, "disable", "identity", "identity-2", "--reason", "bad disk")
	o.succeed(t, "disable", "identity", "identity-9", "--reason", "never liked it")
	o.session = o.open(t)
	o.callers = []*caller{callThrough(t, o.sidecar), callBy(t, o.session)}
	return o
}

// startGreeting starts the sample service in Python under the wrapper.
func (r *realm) startGreeting(t *testing.T, id string) *process {
	t.Helper()
	return start(t, id, []string{"FAIRLEAD_NATS_URL=" + r.NATS}, fairlead, "run", "--service", "greeting", "--instance", id,
		"--port", "0", "--health", "/health", "--", need(t, "python3"), filepath.Join("..", "..", "examples", "greeting", "greeting.py"))
}

// happens kills the control plane, and an instance while it is away, watches
// the requests go on, and starts the control plane again.
func (o *outage) happens(t *testing.T) {
	t.Helper()
	o.crash()
	o.killed.kill()
	for _, c := range o.callers {
		so := c.answered.Load()
		within(t, patience, "requests go on "+c.how, func() bool { return c.answered.Load() > so+50 })
	}
	for service, path := range map[string]string{"greeting": "/greetings/Ada", "site": "/", "identity": "/users/1"} {
		expect(t, 200, "-H", "Fairlead-Service: "+service, o.sidecar+path)
	}
	if o.wipe {
		if err := os.RemoveAll(o.data); err != nil {
			t.Fatal(err)
		}
	}
	o.began = time.Now()
	o.start(t)
}

// members are those who live through it.
var members = map[string][]string{"identity": {"identity-1", "identity-2", "identity-4"}, "greeting": {"greeting-1"}, "site": {"by-hand"}}

func (o *outage) everybodyIsBack(t *testing.T) {
	t.Helper()
	deadline := o.began.Add(backWithin)
	for service, ids := range members {
		for _, id := range ids {
			by(t, deadline, id+" passes for the bridge", func() bool { return passing(o.instances(t, service), id) })
			by(t, deadline, id+" passes in a confirmed table", func() bool {
				table, _ := o.session.Table().Table()
				in, listed := table.Service(service).Instance(id)
				return table.Updated.After(o.began) && passes(in, listed)
			})
		}
	}
	for name, url := range map[string]string{"the sidecar": o.sidecar, "up's own sidecar": o.Sidecar} {
		by(t, deadline, name+" carries the new table", func() bool { return carries(t, url, o.revision(t)) })
		for service, path := range map[string]string{"greeting": "/greetings/Ada", "site": "/", "identity": "/users/1"} {
			by(t, deadline, name+" routes to "+service, func() bool { return curl(t, "-H", "Fairlead-Service: "+service, url+path).status == 200 })
		}
	}
	t.Logf("everybody was back %s after the start of the process", time.Since(o.began).Round(time.Millisecond))
}

func passing(instances map[string]registry.Instance, id string) bool {
	in, listed := instances[id]
	return passes(in, listed)
}

// sidecarStatus is what a sidecar tells of its table.
type sidecarStatus struct {
	Applied   registry.Revision
	Source    registry.TableSource
	Instances int
}

func statusOf(t *testing.T, sidecar string) sidecarStatus {
	t.Helper()
	return decode[sidecarStatus](t, expect(t, 200, sidecar+"/status"))
}

// carries tells whether a sidecar has a revision, or a later one.
func carries(t *testing.T, sidecar string, revision registry.Revision) bool {
	t.Helper()
	s := statusOf(t, sidecar)
	return s.Source == registry.Live && s.Applied.Epoch == revision.Epoch && s.Applied.Sequence >= revision.Sequence
}

func (o *outage) aFlagReachesEveryTable(t *testing.T) {
	t.Helper()
	began := time.Now()
	deadline := began.Add(flagWithin)
	body := expect(t, 200, "-X", "PUT", "-d", `{"enabled":false,"reason":"acceptance"}`, o.instanceURL("identity", "identity-1")+"/enabled")
	revision := decode[struct{ Revision registry.Revision }](t, body).Revision
	by(t, deadline, "the smart client's table has the flag", func() bool {
		return isDisabled(held(o.session, "identity", "identity-1"))
	})
	by(t, deadline, "the bridge has the flag", func() bool {
		in, listed := o.instances(t, "identity")["identity-1"]
		return isDisabled(in, listed)
	})
	for name, url := range map[string]string{"the sidecar": o.sidecar, "up's own sidecar": o.Sidecar} {
		by(t, deadline, name+" has the flag", func() bool { return carries(t, url, revision) })
	}
	t.Logf("every table had the flag after %s, four curls included", time.Since(began).Round(time.Millisecond))
}

func (o *outage) theKilledOneIsGone(t *testing.T) {
	t.Helper()
	deadline := o.began.Add(goneWithin)
	by(t, deadline, "the killed instance is gone for the bridge", func() bool {
		_, listed := o.instances(t, "identity")["identity-3"]
		return !listed
	})
	by(t, deadline, "the killed instance is gone from the smart client's table", func() bool {
		return isGone(held(o.session, "identity", "identity-3"))
	})
	for name, url := range map[string]string{"the sidecar": o.sidecar, "up's own sidecar": o.Sidecar} {
		by(t, deadline, "the killed instance is gone from "+name, func() bool { return statusOf(t, url).Instances == 5 })
	}
	t.Logf("the killed instance was gone %s after the start of the process", time.Since(o.began).Round(time.Millisecond))
}

func (o *outage) noRequestWasLost(t *testing.T) {
	t.Helper()
	for _, c := range o.callers {
		c.stop()
		t.Logf("%d requests were answered %s", c.answered.Load(), c.how)
		if lost := c.lost.Load(); lost != nil {
			t.Errorf("a request %s was lost: %s", c.how, *lost)
		}
	}
}

// A caller asks identity for users, one after the other, until it is stopped.
type caller struct {
	how      string
	answered atomic.Int64
	lost     atomic.Pointer[string] // the first one
	stop     func()
}

// between is the pause between two requests of a caller.
const between = 10 * time.Millisecond

func startCaller(t *testing.T, how string, call func(context.Context, int) error) *caller {
	t.Helper()
	c := &caller{how: how}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c.stop = func() { cancel(); <-done }
	t.Cleanup(c.stop)
	go func() {
		defer close(done)
		tick := time.NewTicker(between)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			if err := call(context.WithoutCancel(ctx), n); err != nil {
				text := fmt.Sprintf("request %d: %v", n, err)
				c.lost.CompareAndSwap(nil, &text)
			} else {
				c.answered.Add(1)
			}
			<-tick.C
		}
	}()
	return c
}

// callThrough calls through a sidecar.
func callThrough(t *testing.T, sidecar string) *caller {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: patience}
	return startCaller(t, "through a sidecar", func(ctx context.Context, n int) error {
		return getUser(ctx, client, sidecar, n)
	})
}

// callBy calls by a smart client.
func callBy(t *testing.T, session *connect.Session) *caller {
	t.Helper()
	return startCaller(t, "by a smart client", func(ctx context.Context, n int) error {
		return getUser(ctx, session.Client(), "service://identity", n)
	})
}

// A doer is a client, smart or not.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

func getUser(ctx context.Context, client doer, base string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/users/%d", base, n%1000+1), nil)
	if err != nil {
		return err
	}
	if req.URL.Scheme == "http" {
		req.Header.Set("Fairlead-Service", "identity")
	}
	want := fmt.Sprintf(`{"id":"%d","name":"User %d"}`, n%1000+1, n%1000+1)
	return askFor(client, req, want)
}

// askFor sends a request, whose answer has to be 200 and a text.
func askFor(client doer, req *http.Request, want string) error {
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(body)); res.StatusCode != http.StatusOK || got != want {
		return fmt.Errorf("%s: %s", res.Status, got)
	}
	return nil
}
