package planetest

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"fairlead.dev/registry"
)

// How long the suite changes things under load, and how often.
const (
	loadLasts   = 3 * time.Second
	changeEvery = 50 * time.Millisecond
	callers     = 8
)

// changesUnderLoad: instances are added, disabled, drained, weighed, removed
// and replaced by dead ones twenty times a second, and no GET fails.
func changesUnderLoad(g *rig) {
	var served atomic.Int64
	handler := func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		fmt.Fprint(w, "ok")
	}
	base := g.serve("identity", "base", handler)
	others := []registry.Instance{g.serve("identity", "a", handler), g.serve("identity", "b", handler), g.serve("identity", "c", handler)}
	g.set(append(others, base)...)
	ctx, cancel := context.WithTimeout(context.Background(), loadLasts)
	defer cancel()
	load := newLoad(g, ctx)
	tick := time.NewTicker(changeEvery)
	defer tick.Stop()
	changes := 0
	for ; ctx.Err() == nil; changes++ {
		g.change(changes, others)
		<-tick.C
	}
	sent, failed := load.wait()
	if len(failed) > 0 {
		g.t.Fatalf("%d of %d requests failed under %d changes: %v", len(failed), sent, changes, failed[:min(len(failed), 5)])
	}
	if served.Load() != sent {
		g.t.Errorf("%d requests were sent, %d served", sent, served.Load())
	}
	g.t.Logf("%d requests under %d changes", sent, changes)
}

// change does the n-th change: one instance after the other goes through all
// of them, so that at most one is dead.
func (g *rig) change(n int, others []registry.Instance) {
	in := others[n/6%len(others)]
	switch n % 6 {
	case 0:
		in.Enabled = false
		g.set(in)
	case 1:
		g.set(in)
	case 2:
		g.drop(in)
	case 3:
		in.Port = 1
		g.set(in)
	case 4:
		in.Status = registry.Draining
		g.set(in)
	default:
		in.Weight = 300
		g.set(in)
	}
}

// A load is callers that send GETs one after another.
type load struct {
	group  sync.WaitGroup
	sent   atomic.Int64
	mu     sync.Mutex
	failed []string
}

func newLoad(g *rig, ctx context.Context) *load {
	l := &load{}
	for range callers {
		l.group.Go(func() {
			for ctx.Err() == nil {
				l.once(g)
			}
		})
	}
	return l
}

func (l *load) once(g *rig) {
	req, err := http.NewRequest(http.MethodGet, "http://"+g.addr+"/users/1", nil)
	if err != nil {
		panic(err) // the address is this suite's own
	}
	req.Header.Set("Fairlead-Service", "identity")
	l.sent.Add(1)
	res, body, err := exchange(g.client, req)
	if err == nil && res.StatusCode == http.StatusOK {
		return
	}
	if err == nil {
		err = fmt.Errorf("%d %s", res.StatusCode, body)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, err.Error())
}

// wait returns how many requests were sent, and why some failed.
func (l *load) wait() (int64, []string) {
	l.group.Wait()
	return l.sent.Load(), l.failed
}
