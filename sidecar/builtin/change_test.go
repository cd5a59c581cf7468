package builtin

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/planetest"
)

// TestChangesFailNothing: instances are disabled, removed and replaced by dead
// ones while requests flow, and every GET has an answer of the service.
func TestChangesFailNothing(t *testing.T) {
	g := start(t, nil)
	full := g.serve(map[string][]http.HandlerFunc{"identity": {planetest.Says("a"), planetest.Says("b"), planetest.Says("c")}})
	tables := []*registry.Table{full, full.WithoutInstance("identity", "i0", 20), full.WithInstance(planetest.Instance("identity", "i3", planetest.Refusing(t), 21))}
	off, _ := full.Service("identity").Instance("i1")
	off.Enabled = false
	tables = append(tables, full.WithInstance(off))

	stop, flipped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(flipped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = g.plane.Apply(t.Context(), tables[i%len(tables)])
			}
		}
	}()
	errs := make(chan error, 8*400)
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 400 {
				errs <- g.once("/users/1")
			}
		})
	}
	callers.Wait()
	close(stop)
	<-flipped
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err, g.log)
		}
	}
}

func (g *rig) once(path string) error {
	res, err := g.client.Do(g.request("GET", path, nil, "Fairlead-Service: identity"))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("got %d %s", res.StatusCode, body)
	}
	return err
}
