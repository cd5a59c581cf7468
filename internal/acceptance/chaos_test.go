package acceptance

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// A plane is a data plane that is held to the same as the other one.
type plane struct {
	// supervise starts a sidecar with it that knows identity.
	supervise func(*realm, *testing.T) *supervised
	// replace is the signal on which the sidecar is replaced without a loss.
	replace syscall.Signal
}

var planes = map[string]plane{
	"builtin": {
		supervise: func(r *realm, t *testing.T) *supervised {
			s := r.superviseSidecar(t, "--services", "identity").start()
			s.knowsIdentity()
			return s
		},
		replace: syscall.SIGUSR2,
	},
	"haproxy": {
		supervise: func(r *realm, t *testing.T) *supervised { s, _ := r.superviseHAProxy(t); return s },
		replace:   syscall.SIGTERM,
	},
}

// busAway is how long the control plane is away while requests go on, a minute
// where time is no matter. It is longer than any lease.
func busAway() time.Duration { return stoppedFor(8 * time.Second) }

// Under load instances are added, disabled and killed, the sidecar is replaced,
// and the bus is gone for a while, in which one more instance is killed and the
// sidecar replaced again.
func TestFaultUnderChaosNoGETIsLost(t *testing.T) {
	t.Parallel()
	for name, p := range planes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRestartable(t)
			for n := range 3 {
				r.startIdentity(t, fmt.Sprintf("identity-%d", n))
			}
			s := p.supervise(r, t)
			l := trafficOn(t, s.url)
			l.goesOn(t)
			r.comeAndGo(t, l)
			s.isReplaced(p.replace)
			l.goesOn(t)
			r.withoutBus(t, l, func() { s.isReplaced(p.replace) })
			within(t, patience, "the sidecar hears from the bus", func() bool { return carries(t, s.url, r.revision(t)) })
			l.goesOn(t)
			l.lostNothing(t)
		})
	}
}

func (s *supervised) isReplaced(by syscall.Signal) {
	s.Helper()
	before := s.pid()
	s.signal(by)
	s.awaitOther(before)
}

// withoutBus has the bus go away and come back. An instance that is killed
// meanwhile stays in every table.
func (r *realm) withoutBus(t *testing.T, l *traffic, meanwhile func()) {
	t.Helper()
	killed := r.startIdentity(t, "identity-9")
	l.goesOn(t)
	r.crash()
	began, so := time.Now(), l.answered()
	holds(t, busAway()/2, time.Second, "requests go on without a bus", func() bool { l.goesOn(t); return true })
	killed.kill()
	meanwhile()
	holds(t, busAway()-time.Since(began), time.Second, "requests go on without an instance too", func() bool { l.goesOn(t); return true })
	t.Logf("%d requests were answered in the %s without a bus", l.answered()-so, time.Since(began).Round(time.Millisecond))
	r.start(t)
}

// comeAndGo has instances be added, disabled, enabled and killed.
func (r *realm) comeAndGo(t *testing.T, l *traffic) {
	t.Helper()
	for n := 3; n < 6; n++ {
		r.succeed(t, "disable", "identity", fmt.Sprintf("identity-%d", n-3))
		killed := r.startIdentity(t, fmt.Sprintf("identity-%d", n))
		l.goesOn(t)
		r.succeed(t, "enable", "identity", fmt.Sprintf("identity-%d", n-3))
		killed.kill()
		l.goesOn(t)
	}
}
