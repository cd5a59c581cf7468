package roster

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A host is a directory, a program that listens, and a registry.
type host struct {
	*testing.T
	dir      string
	port     int
	registry *memory.Registry
	roster   *Roster
	leave    context.CancelFunc
	left     chan error
	// refusal is why the registry registers nobody, empty if it does.
	refusal atomic.Value
}

// An allowing registry registers whoever the host does not refuse.
type allowing struct {
	*memory.Registry
	host *host
}

func (a allowing) Register(ctx context.Context, k registry.Key, r registry.Registration, life registry.Life) (registry.Lease, error) {
	if why, _ := a.host.refusal.Load().(string); why != "" {
		return registry.Lease{}, &registry.FieldError{Field: "host", Problem: why}
	}
	return a.Registry.Register(ctx, k, r, life)
}

// onHost runs body with a roster inside a bubble. The program is outside.
func onHost(t *testing.T, body func(*host)) {
	t.Helper()
	// It has to answer: a bubble's time stands still while it waits for others.
	program := httptest.NewServer(http.NotFoundHandler())
	defer program.Close()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := &host{T: t, dir: dir, port: program.Listener.Addr().(*net.TCPAddr).Port, registry: memory.New(memory.Options{})}
		defer h.registry.Close()
		h.start()
		body(h)
		h.end()
	})
}

func (h *host) start() {
	h.roster, h.left = New(Options{
		Dir: h.dir, Realm: "local", Atlas: allowing{h.registry, h}, Beater: h.registry, OnConnect: h.registry.OnConnect,
		Logger: slog.New(slog.DiscardHandler),
	}), make(chan error, 1)
	ctx, cancel := context.WithCancel(h.Context())
	h.leave = cancel
	go func() { h.left <- h.roster.Run(ctx) }()
}

func (h *host) end() {
	h.Helper()
	h.leave()
	if err := <-h.left; err != nil {
		h.Error(err)
	}
}

func (h *host) write(name, format string, args ...any) {
	h.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), fmt.Appendf(nil, format, args...), 0o600); err != nil {
		h.Fatal(err)
	}
}

func (h *host) remove(name string) {
	h.Helper()
	if err := os.Remove(filepath.Join(h.dir, name)); err != nil {
		h.Fatal(err)
	}
}

// elapse lets virtual time go by.
func elapse(d time.Duration) { <-time.After(d) }

func (h *host) instance() registry.Instance {
	synctest.Wait()
	in, _ := h.registry.Table("local").Service("greeting").Instance("a")
	return in
}

// expect waits for an instance to be as it should, for a few looks.
func (h *host) expect(what string, ok func(registry.Instance) bool) {
	h.Helper()
	for range 100 {
		if ok(h.instance()) {
			return
		}
		elapse(100 * time.Millisecond)
	}
	h.Fatalf("not within 10 s: %s; it is %+v, entries %+v", what, h.instance(), h.roster.Entries())
}

func passes(in registry.Instance) bool  { return in.Status == registry.Passing }
func isGone(in registry.Instance) bool  { return in.ID == "" }
func drained(in registry.Instance) bool { return in.Status == registry.Draining }

const declared = "name: greeting\nport: %d\ninstance: a\nweight: %d\n"

func TestADeclaredProgramIsRegisteredAndDrained(t *testing.T) {
	onHost(t, func(h *host) {
		h.write("greeting.yaml", declared, h.port, 50)
		h.expect("it is registered", func(in registry.Instance) bool { return passes(in) && in.Weight == 50 })
		h.remove("greeting.yaml")
		h.expect("it is draining", drained)
		h.expect("it is gone", isGone)
		elapse(2 * time.Second) // another look
		if entries := h.roster.Entries(); len(entries) != 0 {
			t.Errorf("entries are %+v", entries)
		}
		h.write("greeting.yaml", declared, h.port, 50)
		h.expect("it is registered again", passes)
	})
}

func TestAChangeIsTakenWithoutAGap(t *testing.T) {
	onHost(t, func(h *host) {
		h.write("greeting.yaml", declared, h.port, 50)
		h.expect("it is registered", passes)
		h.write("greeting.yaml", declared, h.port, 70)
		h.expect("it has the new weight, and passes all the time", func(in registry.Instance) bool {
			if !passes(in) {
				t.Errorf("it is %+v", in)
			}
			return in.Weight == 70
		})
	})
}

func TestABrokenFileLeavesTheLastGoodOneInForce(t *testing.T) {
	onHost(t, func(h *host) {
		h.write("greeting.yaml", declared, h.port, 50)
		h.expect("it is registered", passes)
		h.write("greeting.yaml", "name: greeting\nprt: 1\n")
		elapse(time.Minute)
		entries := h.roster.Entries()
		if !passes(h.instance()) || len(entries) != 1 || entries[0].Problem != "line 2: prt: is no field of a service" {
			t.Errorf("it is %+v, entries are %+v", h.instance(), entries)
		}
		h.write("greeting.yaml", declared, h.port, 60)
		h.expect("the next good one counts", func(in registry.Instance) bool { return in.Weight == 60 })
	})
}

func TestADirectoryThatIsAwayTakesNobodyOut(t *testing.T) {
	onHost(t, func(h *host) {
		h.write("greeting.yaml", declared, h.port, 50)
		h.expect("it is registered", passes)
		if err := os.Rename(h.dir, h.dir+"-away"); err != nil {
			t.Fatal(err)
		}
		elapse(time.Minute)
		if !passes(h.instance()) {
			t.Errorf("it is %+v", h.instance())
		}
		if err := os.Rename(h.dir+"-away", h.dir); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheEndOfARosterTakesNobodyOut(t *testing.T) {
	onHost(t, func(h *host) {
		h.write("greeting.yaml", declared, h.port, 50)
		h.expect("it is registered", passes)
		h.end()
		first := h.instance()
		if !passes(first) {
			t.Fatalf("after the end it is %+v", first)
		}
		h.start()
		h.expect("the next roster takes it over", func(in registry.Instance) bool {
			return passes(in) && in.Incarnation != first.Incarnation
		})
	})
}

func TestAProgramThatIsDownIsNotRegistered(t *testing.T) {
	onHost(t, func(h *host) {
		h.write("greeting.yaml", "name: greeting\nport: 1\ninstance: a\n")
		elapse(10 * time.Second)
		entries := h.roster.Entries()
		if !isGone(h.instance()) || len(entries) != 1 || entries[0].Status != registry.Critical || !strings.Contains(entries[0].Reason, "refused") {
			t.Errorf("it is %+v, entries are %+v", h.instance(), entries)
		}
	})
}

// A declared instance that the registry refuses was left alone until its
// declaration changed.
func TestARefusedProgramSaysSoUntilItIsAllowed(t *testing.T) {
	onHost(t, func(h *host) {
		h.refusal.Store("must be in an allowed network")
		h.write("greeting.yaml", declared, h.port, 50)
		elapse(10 * time.Second)
		entries := h.roster.Entries()
		if !isGone(h.instance()) || len(entries) != 1 || entries[0].Status != registry.Critical || !strings.Contains(entries[0].Reason, "allowed network") {
			t.Errorf("it is %+v, entries are %+v", h.instance(), entries)
		}
		h.refusal.Store("")
		elapse(25 * time.Second)
		h.expect("it is registered", passes)
	})
}
