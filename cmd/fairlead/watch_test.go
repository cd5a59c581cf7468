package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead.dev/registry"
)

// A watching is a `fairlead watch` that goes on while the test does things.
type watching struct {
	lines *json.Decoder
	stop  context.CancelFunc
	code  chan int
}

func (r *realm) watch(t *testing.T, args ...string) *watching {
	t.Helper()
	out, in := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	w := &watching{lines: json.NewDecoder(out), stop: stop, code: make(chan int, 1)}
	go func() {
		w.code <- execute(ctx, append([]string{"watch", "--nats-url", r.NATS, "-o", "json"}, args...), streams{nil, in, io.Discard})
		_ = in.Close()
	}()
	return w
}

func (w *watching) next(t *testing.T) difference {
	t.Helper()
	var d difference
	if err := w.lines.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *watching) end(t *testing.T) {
	t.Helper()
	w.stop()
	if code := <-w.code; code != exitOK {
		t.Errorf("an interrupted watch ended with %d", code)
	}
}

func TestWatch(t *testing.T) {
	r := startRealm(t)
	server := httptest.NewServer(nil)
	defer server.Close()
	r.register(t, "identity", "a", server.URL)
	w := r.watch(t)
	defer w.end(t)

	if d := w.next(t); d.Event != presentEvent || d.Service != "identity" || d.Instance != "a" || d.Realm != "local" {
		t.Errorf("it begins with %+v", d)
	}
	r.register(t, "mail", "b", server.URL)
	if d := w.next(t); d.Event != registeredEvent || d.Service != "mail" || d.Instance != "b" {
		t.Errorf("a registration is %+v", d)
	}
	r.succeed(t, "disable", "identity", "a", "--reason", "bad disk", "--owner", "jane")
	d := w.next(t)
	want := []fieldChange{{"enabled", "true", "false"}, {"reason", "", "bad disk"}, {"owner", "", "jane"}}
	if d.Event != changedEvent || len(d.Changes) != 3 || d.Changes[0] != want[0] || d.Changes[1] != want[1] || d.Changes[2] != want[2] {
		t.Errorf("a flag is %+v", d)
	}
	if d.Time.IsZero() || d.Revision.Sequence == 0 || d.Revision.Epoch == "" {
		t.Errorf("it is of %s and %s", d.Time, d.Revision)
	}
}

func TestWatchSaysWhatItWatches(t *testing.T) {
	r := startRealm(t)
	for want, args := range map[string][]string{
		"watching realm local (0 instances)\n":                 nil,
		"watching service nope in realm local (0 instances)\n": {"nope"},
	} {
		said, errs := io.Pipe()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		go func() {
			ended <- execute(ctx, append([]string{"watch", "--nats-url", r.NATS}, args...), streams{nil, io.Discard, errs})
			_ = errs.Close()
		}()
		if line, err := bufio.NewReader(said).ReadString('\n'); line != want {
			t.Errorf("it says %q (%v), want %q", line, err, want)
		}
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("it ended with %d", code)
		}
	}
}

func TestWatchOneServiceForChangesOnly(t *testing.T) {
	r := startRealm(t)
	server := httptest.NewServer(nil)
	defer server.Close()
	r.register(t, "identity", "a", server.URL)
	r.register(t, "mail", "a", server.URL)
	// It does not say when it begins, so there are changes until it tells one.
	w := r.watch(t, "identity", "--changes-only")
	defer w.end(t)
	heard := make(chan difference, 1000)
	go func() {
		for d := (difference{}); w.lines.Decode(&d) == nil; {
			heard <- d
		}
		close(heard)
	}()
	for flips := 0; ; flips++ {
		r.succeed(t, "weight", "mail", "a", "5")
		r.succeed(t, []string{"disable", "enable"}[flips%2], "identity", "a")
		select {
		case d := <-heard:
			if d.Event != changedEvent || d.Service != "identity" {
				t.Errorf("it heard %+v", d)
			}
			return
		default:
		}
	}
}

func TestDifferences(t *testing.T) {
	in := func(id, host string, revision uint64) registry.Instance {
		return registry.Instance{Service: "s", ID: id, Scheme: "http", Host: host, Port: 1, Status: registry.Passing, Enabled: true, Revision: revision}
	}
	before := registry.NewTable("local", "e").
		WithService("s", 3, []registry.Instance{in("gone", "h", 1), in("moved", "h", 2), in("same", "h", 3)}).
		WithService("left", 4, []registry.Instance{in("x", "h", 4)})
	after := registry.NewTable("local", "e").
		WithService("s", 7, []registry.Instance{in("new", "h", 7), in("moved", "elsewhere", 6), in("same", "h", 3)}).
		WithMeta("s", registry.Meta{Owner: "jane", Policy: registry.Policy{Attempts: 2}}, 8)
	var got []string
	for _, d := range differences(before, after, registeredEvent) {
		text := d.String()
		got = append(got, text[strings.Index(text, "  ")+2:])
	}
	want := []string{
		"gone        left/x  revision 0",
		"changed     s/moved  endpoint http://h:1 → http://elsewhere:1  revision 6",
		"registered  s/new  endpoint http://h:1  status passing  enabled true  weight 0  revision 7",
		"changed     s  owner - → jane  attempts - → 2  revision 8",
		"gone        s/gone  revision 8",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if again := differences(after, after, registeredEvent); len(again) > 0 {
		t.Errorf("a table differs from itself by %+v", again)
	}
}
