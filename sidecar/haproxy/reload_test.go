package haproxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/planetest"
)

const patience = 20 * time.Second

// live is a plane that runs for a test.
type live struct {
	*Plane
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error
}

func run(t *testing.T, opts Options) *live {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &live{Plane: newPlane(t, opts), t: t, cancel: cancel, ended: make(chan error, 1)}
	go func() { l.ended <- l.Run(ctx) }()
	t.Cleanup(l.end)
	select {
	case <-l.Up():
	case err := <-l.ended:
		l.ended <- nil
		t.Fatal(err)
	case <-time.After(patience):
		t.Fatal("haproxy does not come up")
	}
	return l
}

// end ends the plane, any number of times.
func (l *live) end() {
	l.cancel()
	select {
	case err := <-l.ended:
		if err != nil {
			l.t.Error(err)
		}
		l.ended <- nil
	case <-time.After(patience):
		l.t.Error("the plane does not end")
	}
}

func (l *live) set(instances ...registry.Instance) {
	l.t.Helper()
	table := registry.NewTable("local", "e")
	for i, in := range instances {
		in.Revision = uint64(i + 1)
		table = table.WithInstance(in)
	}
	if err := l.Apply(l.t.Context(), table.From(registry.Live, time.Now())); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) get(service string, headers ...string) string {
	l.t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	return l.getBy(http.DefaultClient, service, headers...)
}

func (l *live) getBy(client *http.Client, service string, headers ...string) string {
	l.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+l.Status().Addr+"/", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Fairlead-Service", service)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return string(body)
}

// getAt is get at another address, where nothing is to be named.
func (l *live) getAt(addr string) string {
	l.t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	res, err := http.Get("http://" + addr)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return string(body)
}

func serving(t *testing.T, service, id string) registry.Instance {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, id) }))
	t.Cleanup(server.Close)
	return planetest.Instance(service, id, server.Listener.Addr().String(), 1)
}

func TestInstancesAndServicesNeedNoReload(t *testing.T) {
	l := run(t, options(t))
	a, b, c := serving(t, "identity", "a"), serving(t, "identity", "b"), serving(t, "orders", "c")
	l.set(a)
	l.set(a, b, c)
	got := map[string]bool{l.get("identity"): true, l.get("identity"): true, l.get("orders"): true}
	if !got["a"] || !got["b"] || !got["c"] {
		t.Errorf("answers came from %v", got)
	}
	if s := l.Status(); s.Reloads != 0 || s.Starts != 1 {
		t.Errorf("status is %+v", s)
	}
}

func TestMoreServicesThanSlotsAreOneReload(t *testing.T) {
	l := run(t, options(t))
	var all []registry.Instance
	for i := range 30 {
		all = append(all, serving(t, "s"+strconv.Itoa(i), "i"))
	}
	l.set(all...)
	for _, in := range all {
		if got := l.get(in.Service); got != "i" {
			t.Fatalf("%s answered %s", in.Service, got)
		}
	}
	if s := l.Status(); s.Reloads != 1 || s.Why != "more services than slots" {
		t.Errorf("status is %+v", s)
	}
}

// TestConnectionsOlderThanAReload: an idle connection may have one more request
// served by the worker that was replaced, for a while.
func TestConnectionsOlderThanAReload(t *testing.T) {
	opts := options(t)
	opts.Compare, opts.Retire = 50*time.Millisecond, 200*time.Millisecond
	l := run(t, opts)
	a, b := serving(t, "identity", "a"), serving(t, "identity", "b")
	l.set(a)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	if got := l.getBy(client, "identity"); got != "a" {
		t.Fatalf("%s answers", got)
	}
	old := l.worker()
	var more []registry.Instance
	for i := range 30 {
		more = append(more, serving(t, "s"+strconv.Itoa(i), "i"))
	}
	l.set(append(more, a)...)
	l.set(append(more, b)...)
	within(t, "the end of the replaced worker", patience, func() bool { return !runsIn(old, l.in.path) })
	for range 3 {
		if got := l.getBy(client, "identity"); got != "b" {
			t.Errorf("%s answers", got)
		}
	}
	if s := l.Status(); s.Reloads != 1 || s.Starts != 1 {
		t.Errorf("status is %+v", s)
	}
}
