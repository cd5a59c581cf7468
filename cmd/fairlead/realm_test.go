package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// A realm is a `fairlead up` of a test's own, on free ports, and a session in
// it.
type realm struct {
	ready
	data    string
	session *connect.Session
}

func startRealm(t *testing.T) *realm {
	t.Helper()
	r := &realm{data: t.TempDir()}
	r.up(t)
	var err error
	r.session, err = connect.Open(t.Context(), connect.Options{Realm: "local", NATSURL: r.NATS, WholeRealm: true, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.session.Close(context.Background()) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.session.Table().Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

// up runs the command until the test ends, and returns once it says that it is
// ready.
func (r *realm) up(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"up", "-o", "json", "--data", r.data,
			"--nats-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--sidecar-addr", "127.0.0.1:0"}, streams{nil, in, io.Discard})
		_ = in.Close()
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("fairlead up ended with %d", code)
		}
	})
	if err := json.NewDecoder(out).Decode(&r.ready); err != nil {
		t.Fatalf("fairlead up did not say that it is ready: %v", err)
	}
}

// A result is what a command left behind.
type result struct {
	code     int
	out, err string
}

// fairlead runs a command on the realm's bus.
func (r *realm) fairlead(t *testing.T, args ...string) result {
	t.Helper()
	return fairlead(t, r.NATS, "", args...)
}

func fairlead(t *testing.T, natsURL, input string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	full := append([]string{args[0], "--nats-url", natsURL}, args[1:]...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	code := execute(ctx, full, streams{strings.NewReader(input), &out, &errs})
	return result{code, out.String(), errs.String()}
}

// succeed is fairlead for commands that have to.
func (r *realm) succeed(t *testing.T, args ...string) string {
	t.Helper()
	got := r.fairlead(t, args...)
	if got.code != exitOK {
		t.Fatalf("fairlead %s ended with %d: %s", strings.Join(args, " "), got.code, got.err)
	}
	return got.out
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// register has an instance listed for as long as its lease lasts.
func (r *realm) register(t *testing.T, service, id, address string) registry.Key {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(u.Host)
	key := registry.Key{Realm: "local", Service: service, Instance: id}
	reg := registry.Registration{Host: at.Addr().String(), Port: int(at.Port()), Version: "1.4.2", Zone: "a"}
	if _, err := r.session.Atlas().Register(t.Context(), key, reg, registry.Life{}); err != nil {
		t.Fatal(err)
	}
	r.await(t, service, id, func(_ registry.Instance, listed bool) bool { return listed })
	return key
}

// await waits until what the table holds of an instance is as it should be.
func (r *realm) await(t *testing.T, service, id string, ok func(in registry.Instance, listed bool) bool) registry.Instance {
	t.Helper()
	timeout := time.After(patience)
	for {
		table, newer := r.session.Table().Table()
		in, listed := table.Service(service).Instance(id)
		if ok(in, listed) {
			return in
		}
		select {
		case <-newer:
		case <-timeout:
			t.Fatalf("%s/%s is still %+v (listed: %t)", service, id, in, listed)
		}
	}
}

func (r *realm) table() *registry.Table {
	table, _ := r.session.Table().Table()
	return table
}

func passes(in registry.Instance, _ bool) bool { return in.Status == registry.Passing }

func isGone(_ registry.Instance, listed bool) bool { return !listed }
