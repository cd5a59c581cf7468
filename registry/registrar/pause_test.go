package registrar

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
)

// A process that was stopped, and evicted meanwhile, is listed again with its
// first heartbeat, not with the next that happens to be a request.
func TestAProcessThatWasStoppedRegistersAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := memory.New(memory.Options{})
		defer reg.Close()
		stopped := make(chan struct{})
		resumed := make(chan struct{})
		calls := 0
		r, err := New(Options{
			Atlas: reg, Beater: reg, Key: host001, Registration: endpoint, Logger: slog.New(slog.DiscardHandler),
			Health: func() (registry.Status, int, float64) {
				// As SIGSTOP would, the third call holds the registrar up.
				if calls++; calls == 3 {
					close(stopped)
					<-resumed
				}
				return registry.Passing, 0, 0
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Start()
		<-stopped
		time.Sleep(20 * time.Second)
		if _, listed := reg.Table("local").Service("identity").Instance(host001.Instance); listed {
			t.Fatal("it was not evicted, so the test shows nothing")
		}
		close(resumed)
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		if _, listed := reg.Table("local").Service("identity").Instance(host001.Instance); !listed {
			t.Error("it is not listed again")
		}
		_ = r.Stop(context.Background())
	})
}
