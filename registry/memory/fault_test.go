package memory_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
)

var (
	host001  = registry.Key{Realm: "local", Service: "identity", Instance: "host001-5000"}
	endpoint = registry.Registration{Host: "127.0.0.1", Port: 5000}
)

// inBubble runs a test in virtual time with one instance registered.
func inBubble(t *testing.T, opts memory.Options, test func(*testing.T, *memory.Registry, registry.Lease)) {
	synctest.Test(t, func(t *testing.T) {
		reg := memory.New(opts)
		defer reg.Close()
		lease, err := reg.Register(context.Background(), host001, endpoint, registry.Life{Incarnation: "life-1"})
		if err != nil {
			t.Fatal(err)
		}
		test(t, reg, lease)
	})
}

func statusOf(reg *memory.Registry) registry.Status {
	in, _ := reg.Table("local").Service("identity").Instance(host001.Instance)
	return in.Status
}

func beatOf(l registry.Lease) registry.Heartbeat {
	return registry.Heartbeat{Incarnation: l.Incarnation, Token: l.Token, Status: registry.Passing}
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestALeaseThatIsNotKeptEnds(t *testing.T) {
	inBubble(t, memory.Options{}, func(t *testing.T, reg *memory.Registry, lease registry.Lease) {
		for range 10 {
			pass(5 * time.Second)
			if err := reg.Heartbeat(context.Background(), host001, beatOf(lease)); err != nil {
				t.Fatal(err)
			}
		}
		pass(5999 * time.Millisecond)
		if statusOf(reg) != registry.Passing {
			t.Error("gone before its lease was over")
		}
		pass(time.Millisecond)
		if statusOf(reg) != "" {
			t.Error("still listed after its lease")
		}
		if err := reg.Heartbeat(context.Background(), host001, beatOf(lease)); !errors.Is(err, registry.ErrUnknown) {
			t.Errorf("heartbeat: %v", err)
		}
	})
}

func TestWhatAnswersStaysAsSuspect(t *testing.T) {
	alive := true
	answers := func(string) bool { return alive }
	inBubble(t, memory.Options{Answers: answers}, func(t *testing.T, reg *memory.Registry, lease registry.Lease) {
		pass(time.Minute)
		if s := statusOf(reg); s != registry.Suspect {
			t.Errorf("status %q", s)
		}
		if err := reg.Beat(host001, beatOf(lease)); err != nil || statusOf(reg) != registry.Passing {
			t.Errorf("after a heartbeat: %q, %v", statusOf(reg), err)
		}
		other := registry.Registration{Host: "127.0.0.1", Port: 5001}
		if _, err := reg.Register(context.Background(), host001, other, registry.Life{}); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("while it answers: %v", err)
		}
		alive = false
		if _, err := reg.Register(context.Background(), host001, other, registry.Life{}); err != nil {
			t.Errorf("when it answers no more: %v", err)
		}
	})
}

func TestAnOutageJudgesNobody(t *testing.T) {
	inBubble(t, memory.Options{}, func(t *testing.T, reg *memory.Registry, lease registry.Lease) {
		reg.GoAway()
		pass(time.Hour)
		if err := reg.Beat(host001, beatOf(lease)); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("beat: %v", err)
		}
		if _, err := reg.Snapshot(context.Background(), registry.Interest{Realm: "local"}); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("snapshot: %v", err)
		}
		reg.ComeBack()
		pass(5 * time.Second)
		if statusOf(reg) != registry.Passing {
			t.Error("evicted for the registry's own outage")
		}
		pass(2 * time.Second)
		if statusOf(reg) != "" {
			t.Error("its lease never ends")
		}
	})
}

func TestAFlagEndsOnTime(t *testing.T) {
	inBubble(t, memory.Options{TTL: time.Hour}, func(t *testing.T, reg *memory.Registry, _ registry.Lease) {
		flag := &registry.Flag{Until: time.Now().Add(time.Minute)}
		if _, err := reg.SetFlag(context.Background(), host001, flag); err != nil {
			t.Fatal(err)
		}
		enabled := func() bool { return reg.Table("local").Service("identity").Instances()[0].Enabled }
		pass(59 * time.Second)
		if enabled() {
			t.Error("enabled before its time")
		}
		pass(time.Second)
		if !enabled() {
			t.Error("still disabled")
		}
	})
}

func TestForgetBeginsANewEpoch(t *testing.T) {
	inBubble(t, memory.Options{}, func(t *testing.T, reg *memory.Registry, lease registry.Lease) {
		reg.Forget()
		now := reg.Table("local")
		if now.Len() != 0 || now.Revision.Epoch == lease.Revision.Epoch || now.Revision.Sequence != 0 {
			t.Errorf("table at %s with %d instances", now.Revision, now.Len())
		}
		pass(time.Minute) // the old lease's timer finds nothing
		if got := reg.Table("local").Revision; got != now.Revision {
			t.Errorf("something changed: %s", got)
		}
	})
}

func TestListenersAreToldOfTheReturn(t *testing.T) {
	inBubble(t, memory.Options{}, func(t *testing.T, reg *memory.Registry, _ registry.Lease) {
		var heard []registry.Update
		stop, err := reg.Listen(registry.Interest{Realm: "local"}, func(u registry.Update) { heard = append(heard, u) })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		connected := 0
		remove := reg.OnConnect(func() { connected++ })
		reg.GoAway()
		reg.PublishDigest()
		reg.ComeBack()
		remove()
		reg.ComeBack()
		synctest.Wait()
		if len(heard) != 2 || !heard[0].Lost || connected != 1 {
			t.Errorf("heard %+v, connected %d times", heard, connected)
		}
	})
}
