package bridge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
)

const patience = 10 * time.Second

type event struct{ name, id, data string }

// A reader reads a stream of events in the background.
type reader struct {
	events chan event
	cancel context.CancelFunc
	done   chan struct{}
}

func (g *rig) stream(realm, lastID string) *reader {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", g.url+"/v1/realms/"+realm+"/routes", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		cancel()
		g.t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		g.t.Fatalf("Content-Type is %q", got)
	}
	r := &reader{events: make(chan event, 1000), cancel: cancel, done: make(chan struct{})}
	go r.read(res)
	g.t.Cleanup(r.close)
	return r
}

func (r *reader) read(res *http.Response) {
	defer close(r.done)
	defer close(r.events)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	var e event
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if e.data != "" {
				r.events <- e
			}
			e = event{}
		}
	}
}

func (r *reader) close() {
	r.cancel()
	<-r.done
}

func (r *reader) next(t *testing.T) event {
	t.Helper()
	select {
	case e, ok := <-r.events:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(patience):
		t.Fatal("no event came")
	}
	return event{}
}

func (r *reader) until(t *testing.T, what string, ok func(event) bool) event {
	t.Helper()
	for {
		if e := r.next(t); ok(e) {
			return e
		}
	}
}

func (r *reader) change(t *testing.T) (change, string) {
	t.Helper()
	e := r.next(t)
	var c change
	if err := json.Unmarshal([]byte(e.data), &c); err != nil || e.name != eventChange {
		t.Fatalf("event is %+v, want a change (%v)", e, err)
	}
	return c, e.id
}

func TestStream(t *testing.T) {
	g := newRig(t, nil)
	g.want(201, g.do("PUT", one, good))
	s := g.stream("local", "")
	first := s.next(t)
	for !strings.Contains(first.data, "host001-5000") { // the bridge's table is not that far yet
		s = g.stream("local", "")
		first = s.next(t)
	}
	var table registry.Snapshot
	if err := json.Unmarshal([]byte(first.data), &table); err != nil || table.Revision.String() != first.id || table.Realm != "local" {
		t.Fatalf("reset is %+v (%v)", first, err)
	}

	g.want(200, g.do("PUT", one+"/enabled", `{"enabled":false,"reason":"disk"}`))
	disabled, disabledID := s.change(t)
	if disabled.Instance == nil || disabled.Instance.Enabled || disabled.Instance.Reason != "disk" || disabled.Revision.String() != disabledID {
		t.Errorf("change is %+v with id %s", disabled, disabledID)
	}
	g.want(204, g.do("DELETE", one, ""))
	gone, goneID := s.change(t)
	if gone.Gone != "host001-5000" || gone.Service != "identity" || gone.Instance != nil {
		t.Errorf("change is %+v", gone)
	}

	back := g.stream("local", disabledID)
	if again, id := back.change(t); again.Gone != "host001-5000" || id != goneID {
		t.Errorf("a reader that came back got %+v with id %s", again, id)
	}
	after := g.stream("local", first.id)
	if again, id := after.change(t); again.Instance == nil || id != disabledID {
		t.Errorf("a reader that came back got %+v with id %s", again, id)
	}
	g.want(201, g.do("PUT", one, good))
	for _, r := range []*reader{s, back} {
		if c, _ := r.change(t); c.Instance == nil || c.Instance.ID != "host001-5000" {
			t.Errorf("change is %+v", c)
		}
	}
	for _, id := range []string{"other-1", "nonsense", table.Revision.Epoch + "-999999", table.Revision.Epoch + "-x"} {
		if e := g.stream("local", id).next(t); e.name != eventReset {
			t.Errorf("Last-Event-ID %s got %+v, want a reset", id, e)
		}
	}
}

func TestStreamOfAnotherRealm(t *testing.T) {
	g := newRig(t, nil)
	s := g.stream("test", "")
	if e := s.next(t); e.name != eventReset || !strings.Contains(e.data, `"services":[]`) {
		t.Errorf("event is %+v", e)
	}
	g.want(201, g.do("PUT", strings.Replace(one, "local", "test", 1), good))
	if c, _ := s.change(t); c.Instance == nil {
		t.Errorf("change is %+v", c)
	}
}

func TestStreamsEndWithTheBridge(t *testing.T) {
	g := newRig(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.bridge.Run(ctx, listener) }()
	g.url = "http://" + listener.Addr().String()
	s := g.stream("local", "")
	s.next(t)
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the bridge did not stop while a stream was open")
	}
	<-s.done
	if _, _, err := g.bridge.feeds.join("other"); err == nil {
		t.Error("a closed bridge follows another realm")
	}
}

func TestSlowReaderIsCut(t *testing.T) {
	f := newFeed(nil)
	f.advance(tableOf("e", 1, registry.Instance{Service: "a", ID: "x", Enabled: true}))
	writes := 0
	s := &stream{w: &failing{after: 1, writes: &writes}, control: http.NewResponseController(&failing{writes: &writes})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.copy(context.Background(), f, 0)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("a reader whose writes fail is still served")
	}
}

// failing is a writer whose deadline passes after some writes.
type failing struct {
	http.ResponseWriter
	after  int
	writes *int
}

func (f *failing) SetWriteDeadline(time.Time) error { return nil }
func (f *failing) FlushError() error                { return nil }
func (f *failing) Write(p []byte) (int, error) {
	if *f.writes++; *f.writes > f.after {
		return 0, errors.New("i/o timeout")
	}
	return len(p), nil
}

func tableOf(epoch string, sequence uint64, instances ...registry.Instance) *registry.Table {
	table := registry.NewTable("local", epoch)
	for _, in := range instances {
		table = table.WithInstance(in)
	}
	return table.At(registry.Revision{Epoch: epoch, Sequence: sequence}).From(registry.Live, time.Now())
}

func TestFeed(t *testing.T) {
	in := func(id string, revision uint64) registry.Instance {
		return registry.Instance{Service: "a", ID: id, Revision: revision, Enabled: true}
	}
	f := newFeed(nil)
	if text, _, _ := f.read(0); text != nil {
		t.Errorf("a feed without a table gave %s", text)
	}
	f.advance(registry.NewTable("local", ""))
	if f.current() != nil {
		t.Error("a table that nobody confirmed was taken")
	}
	f.advance(tableOf("e", 5, in("x", 5)))
	text, at, _ := f.read(f.resume(""))
	if !strings.HasPrefix(string(text), "event: reset\nid: e-5\n") {
		t.Errorf("first is %s", text)
	}
	f.advance(tableOf("e", 6, in("x", 5)))
	if text, _, _ := f.read(at); text != nil {
		t.Errorf("a revision without changes gave %s", text)
	}
	f.advance(tableOf("e", 9, in("x", 5), in("z", 9), in("y", 8)))
	text, at, _ = f.read(at)
	if got := ids(text); got != "change e-6 y; change e-9 z" {
		t.Errorf("a step of two changes is %q", got)
	}
	for _, id := range []string{"e-6", "e-8"} {
		text, _, _ := f.read(f.resume(id))
		if got := ids(text); got != "change e-6 y; change e-9 z" {
			t.Errorf("after %s comes %q", id, got)
		}
	}
	if text, _, _ := f.read(f.resume("e-9")); text != nil {
		t.Errorf("a reader that has everything gets %s", text)
	}
	if text, _, _ := f.read(f.resume("e-4")); !strings.HasPrefix(string(text), "event: reset") {
		t.Errorf("a reader from before the history gets %s", text)
	}
	f.advance(tableOf("e", 9, in("x", 5)))
	if text, at, _ = f.read(at); !strings.HasPrefix(string(text), "event: reset\nid: e-9") {
		t.Errorf("a table mended at the same revision gave %s", text)
	}
	f.advance(tableOf("f", 1, in("x", 1)))
	if text, at, _ = f.read(at); !strings.HasPrefix(string(text), "event: reset\nid: f-1") {
		t.Errorf("a new epoch gave %s", text)
	}
	for i := uint64(2); i < 2*maxHistory; i++ {
		f.advance(tableOf("f", i, in("x", i)))
	}
	if len(f.history) != maxHistory {
		t.Errorf("history has %d batches", len(f.history))
	}
	if text, _, _ := f.read(at); !strings.HasPrefix(string(text), "event: reset") {
		t.Errorf("a reader that was lapped gets %.100s", text)
	}
	if text, _, _ := f.read(f.resume(fmt.Sprintf("f-%d", 2*maxHistory-2))); ids(text) != fmt.Sprintf("change f-%d x", 2*maxHistory-1) {
		t.Errorf("a reader that missed one gets %.100s", text)
	}
}

// ids tells events by name, id and instance.
func ids(text []byte) string {
	var all []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		lines := strings.Split(block, "\n")
		if len(lines) != 3 {
			continue
		}
		var c change
		_ = json.Unmarshal([]byte(strings.TrimPrefix(lines[2], "data: ")), &c)
		instance := c.Gone
		if c.Instance != nil {
			instance = c.Instance.ID
		}
		all = append(all, strings.TrimPrefix(lines[0], "event: ")+" "+strings.TrimPrefix(lines[1], "id: ")+" "+instance)
	}
	return strings.Join(all, "; ")
}
