package follow

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
)

// A fixture is a registry, and a table that follows it.
type fixture struct {
	*testing.T
	reg    *memory.Registry
	source *gate
	table  *Follower

	changes int
}

// A gate is a source whose snapshots can be held up: their content is as of
// when they were asked for, and they arrive when the gate is opened.
type gate struct {
	registry.Source
	mu     sync.Mutex
	closed chan struct{}
	asked  int
	edit   func(*registry.Snapshot)
}

// Listen uses the room of changes again once they have been heard, as a source
// may.
func (g *gate) Listen(in registry.Interest, hear func(registry.Update)) (func(), error) {
	return g.Source.Listen(in, func(u registry.Update) {
		if u.Changes == nil {
			hear(u)
			return
		}
		u.Changes = u.Changes.Clone()
		hear(u)
		for i := range u.Changes.Changes {
			if c := u.Changes.Changes[i].Condition; c != nil {
				*c = registry.Condition{}
			}
		}
		clear(u.Changes.Changes)
		*u.Changes = registry.Changes{}
	})
}

func (g *gate) Snapshot(ctx context.Context, in registry.Interest) (registry.Snapshot, error) {
	s, err := g.Source.Snapshot(ctx, in)
	g.mu.Lock()
	g.asked++
	closed, edit := g.closed, g.edit
	g.mu.Unlock()
	if edit != nil {
		edit(&s)
	}
	if closed != nil {
		select {
		case <-closed:
		case <-ctx.Done():
			return registry.Snapshot{}, ctx.Err()
		}
	}
	return s, err
}

func (g *gate) close() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	gate := make(chan struct{})
	g.closed = gate
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		close(gate)
		g.closed = nil
	}
}

func (g *gate) editing(edit func(*registry.Snapshot)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.edit = edit
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

// inBubble runs a test in virtual time. Leases last for a day, so that nothing
// needs heartbeats.
func inBubble(t *testing.T, opts Options, test func(*fixture)) {
	synctest.Test(t, func(t *testing.T) {
		reg := memory.New(memory.Options{TTL: 24 * time.Hour})
		defer reg.Close()
		f := &fixture{T: t, reg: reg, source: &gate{Source: reg}}
		opts.Source, opts.Realm, opts.Logger = f.source, "local", slog.New(slog.DiscardHandler)
		f.table = New(opts)
		defer f.table.Close()
		test(f)
	})
}

func wholeRealm(t *testing.T, test func(*fixture)) { inBubble(t, Options{WholeRealm: true}, test) }

func (f *fixture) start() {
	f.Helper()
	f.table.Start()
	if err := f.table.Ready(context.Background()); err != nil {
		f.Fatal(err)
	}
}

func key(service, id string) registry.Key {
	return registry.Key{Realm: "local", Service: service, Instance: id}
}

func (f *fixture) register(service string, ids ...string) {
	f.Helper()
	for _, id := range ids {
		_, err := f.reg.Register(context.Background(), key(service, id), registry.Registration{Host: "127.0.0.1", Port: 5000}, registry.Life{})
		if err != nil {
			f.Fatal(err)
		}
	}
}

func (f *fixture) disable(service, id string) {
	f.Helper()
	if _, err := f.reg.SetFlag(context.Background(), key(service, id), &registry.Flag{}); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) weigh(service, id string, weight int) {
	f.Helper()
	if _, err := f.reg.SetWeight(context.Background(), key(service, id), &registry.Weight{Weight: weight}); err != nil {
		f.Fatal(err)
	}
}

// equal waits for what is under way, and compares the table with the truth.
func (f *fixture) equal() {
	f.Helper()
	synctest.Wait()
	got, _ := f.table.Table()
	if want := f.reg.Table("local"); got.Hash() != want.Hash() || got.Len() != want.Len() {
		f.Fatalf("table  %v\ntruth  %v", text(got), text(want))
	}
}

func (f *fixture) differs() {
	f.Helper()
	synctest.Wait()
	if got, _ := f.table.Table(); got.Hash() == f.reg.Table("local").Hash() {
		f.Fatal("the table is equal to the truth already")
	}
}

func (f *fixture) status(service, id string) registry.Status {
	t, _ := f.table.Table()
	in, _ := t.Service(service).Instance(id)
	return in.Status
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
