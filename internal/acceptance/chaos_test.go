package acceptance

import (
	"fmt"
	"testing"
	"time"
)

// planes are the data planes that are held to the same, by the flags that
// choose them.
var planes = map[string]func(t *testing.T) []string{
	"builtin": func(*testing.T) []string { return nil },
	"haproxy": func(t *testing.T) []string { return []string{"--plane", "haproxy", "--data", t.TempDir()} },
}

// busAway is how long the control plane is away while requests go on. It is
// longer than any lease.
const busAway = 8 * time.Second

func TestUnderChaosNoGETIsLost(t *testing.T) {
	t.Parallel()
	for name, flags := range planes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRestartable(t)
			for n := range 3 {
				r.startIdentity(t, fmt.Sprintf("identity-%d", n))
			}
			s := r.superviseSidecar(t, append(flags(t), "--services", "identity")...).start()
			within(t, patience, "the sidecar knows identity", func() bool { return curl(t, "-H", byHeader, s.url+"/users/1").status == 200 })
			l := trafficOn(t, s.url)
			l.goesOn(t)
			r.comeAndGo(t, l)
			r.crash()
			holds(t, busAway, time.Second, "requests go on without a bus", func() bool { l.goesOn(t); return true })
			r.start(t)
			l.goesOn(t)
			l.lostNothing(t)
		})
	}
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
