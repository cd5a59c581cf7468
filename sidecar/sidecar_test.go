package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fairlead.dev/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fakeWatcher is a registry.Watcher whose table tests set.
type fakeWatcher struct {
	mu    sync.Mutex
	table *registry.Table
	newer chan struct{}
}

func newWatcher(table *registry.Table) *fakeWatcher {
	return &fakeWatcher{table: table, newer: make(chan struct{})}
}

func (w *fakeWatcher) Table() (*registry.Table, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.table, w.newer
}

func (w *fakeWatcher) set(table *registry.Table) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.table = table
	close(w.newer)
	w.newer = make(chan struct{})
}

// A fakePlane records what is applied. Apply takes busy and fails while refuse
// is set.
type fakePlane struct {
	mu      sync.Mutex
	applied []uint64
	tries   []time.Duration
	began   time.Time
	busy    time.Duration
	refuse  error
	run     func(context.Context) error
}

func (p *fakePlane) Run(ctx context.Context) error {
	if p.run != nil {
		return p.run(ctx)
	}
	<-ctx.Done()
	return nil
}

func (p *fakePlane) Apply(ctx context.Context, table *registry.Table) error {
	p.mu.Lock()
	busy, refuse := p.busy, p.refuse
	p.tries = append(p.tries, time.Since(p.began))
	p.mu.Unlock()
	pause(ctx, busy)
	if err := ctx.Err(); err != nil {
		return err
	}
	if refuse != nil {
		return refuse
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applied = append(p.applied, table.Revision.Sequence)
	return nil
}

func (p *fakePlane) set(busy time.Duration, refuse error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy, p.refuse = busy, refuse
}

func (p *fakePlane) got() ([]uint64, []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]uint64(nil), p.applied...), append([]time.Duration(nil), p.tries...)
}

func tableAt(sequence uint64) *registry.Table {
	return registry.NewTable("local", "e").
		WithInstance(registry.Instance{Service: "identity", ID: "i0", Revision: sequence}).
		At(registry.Revision{Epoch: "e", Sequence: sequence}).
		From(registry.Live, time.Now())
}

// running runs a sidecar inside a bubble, for the time of body.
func running(t *testing.T, w *fakeWatcher, p *fakePlane, body func(*Sidecar)) error {
	t.Helper()
	p.began = time.Now()
	s := New(p, w, Options{Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	synctest.Wait()
	body(s)
	cancel()
	return <-ended
}

func TestEveryNewTableIsApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWatcher(tableAt(1)), &fakePlane{}
		err := running(t, w, p, func(s *Sidecar) {
			w.set(tableAt(2))
			synctest.Wait()
			pause(t.Context(), 3*time.Second)
			status := s.Status()
			if status.Applied.Sequence != 2 || !status.Carrying() || status.Services != 1 || status.Instances != 1 || status.AgeMS != 3000 || status.Source != registry.Live {
				t.Errorf("status is %+v", status)
			}
		})
		if applied, _ := p.got(); err != nil || len(applied) != 2 || applied[0] != 1 || applied[1] != 2 {
			t.Errorf("applied %v, ended with %v", applied, err)
		}
	})
}

func TestTablesThatComeMeanwhileAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWatcher(tableAt(1)), &fakePlane{busy: time.Second}
		_ = running(t, w, p, func(*Sidecar) {
			for i := uint64(2); i <= 50; i++ {
				w.set(tableAt(i))
			}
			pause(t.Context(), 10*time.Second)
		})
		if applied, _ := p.got(); len(applied) != 2 || applied[1] != 50 {
			t.Errorf("applied %v, want 1 and 50", applied)
		}
	})
}

func TestRefusedTablesAreOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWatcher(tableAt(1)), &fakePlane{}
		_ = running(t, w, p, func(s *Sidecar) {
			p.set(0, errors.New("disk is full"))
			w.set(tableAt(2))
			pause(t.Context(), time.Minute)
			if status := s.Status(); status.Carrying() || status.Applied.Sequence != 1 || status.Offered.Sequence != 2 || status.LastError != "disk is full" {
				t.Errorf("status is %+v", status)
			}
			w.set(tableAt(3))
			p.set(0, nil)
			pause(t.Context(), 11*time.Second)
			if status := s.Status(); !status.Carrying() || status.Applied.Sequence != 3 || status.Failures != 0 || status.LastError != "" {
				t.Errorf("status is %+v", status)
			}
		})
		if _, tries := p.got(); len(tries) < 8 || len(tries) > 60 {
			t.Errorf("tried %d times in a minute", len(tries))
		}
	})
}

func TestApplyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWatcher(tableAt(1)), &fakePlane{busy: time.Hour}
		_ = running(t, w, p, func(s *Sidecar) {
			pause(t.Context(), 11*time.Second)
			if status := s.Status(); status.Failures != 1 {
				t.Errorf("status is %+v", status)
			}
		})
	})
}

func TestTableNobodyConfirmedIsNotApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWatcher(registry.NewTable("local", "")), &fakePlane{}
		_ = running(t, w, p, func(s *Sidecar) {
			if s.Status().Carrying() {
				t.Error("a sidecar without a table says that it carries one")
			}
			w.set(registry.NewTable("local", "e").From(registry.Live, time.Now()))
			synctest.Wait()
		})
		if applied, _ := p.got(); len(applied) != 1 {
			t.Errorf("applied %v, want only the empty table that was confirmed", applied)
		}
	})
}

func TestEndOfThePlaneIsTheEnd(t *testing.T) {
	for _, why := range []error{errors.New("address in use"), nil} {
		synctest.Test(t, func(t *testing.T) {
			p := &fakePlane{run: func(context.Context) error { return why }}
			s := New(p, newWatcher(tableAt(1)), Options{Logger: slog.New(slog.DiscardHandler)})
			if err := s.Run(t.Context()); err == nil || why != nil && !errors.Is(err, why) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	for failures := 1; failures < 100; failures++ {
		bound := min(firstBackoff<<min(failures-1, 16), time.Second)
		if d := backoff(failures, time.Second); d < bound/10 || d > bound {
			t.Errorf("after %d failures the pause is %s", failures, d)
		}
	}
}
