package smartclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
)

// A fleet is instances that die and come back in virtual time, and the registry
// that hears of it.
type fleet struct {
	mu      sync.Mutex
	life    []context.Context // of each instance; ended: dead
	end     []context.CancelFunc
	lives   int
	list    []registry.Instance
	service atomic.Pointer[registry.Service]
	seen    atomic.Int64
	status  atomic.Int64 // of all answers
}

func newFleet(n int) *fleet {
	f := &fleet{life: make([]context.Context, n), end: make([]context.CancelFunc, n), list: instances(make([]int, n)...)}
	for i := range n {
		f.start(i, true)
	}
	f.status.Store(200)
	return f
}

func (f *fleet) Resolve(context.Context, string) (*registry.Service, error) {
	return f.service.Load(), nil
}

// start has an instance live, with or without the registry knowing.
func (f *fleet) start(i int, told bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.life[i], f.end[i] = context.WithCancel(context.Background())
	f.lives++
	if told {
		f.list[i].Incarnation, f.list[i].Enabled = fmt.Sprint(f.lives), true
		f.service.Store(servicing(append([]registry.Instance(nil), f.list...)))
	}
}

// kill ends an instance; evict has the registry know.
func (f *fleet) kill(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end[i]()
}

func (f *fleet) evict(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list[i].Enabled = false
	f.service.Store(servicing(append([]registry.Instance(nil), f.list...)))
}

// RoundTrip takes 5 ms, within which a kill resets the connection.
func (f *fleet) RoundTrip(req *http.Request) (*http.Response, error) {
	f.seen.Add(1)
	f.mu.Lock()
	life := f.life[int(req.URL.Port()[3]-'0')]
	f.mu.Unlock()
	if life.Err() != nil {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	select {
	case <-time.After(5 * time.Millisecond):
		return replying(int(f.status.Load()), "")(req)
	case <-life.Done():
		return nil, fmt.Errorf("read: %w", io.ErrUnexpectedEOF)
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

// load sends requests of idempotent methods at a steady rate, and returns how
// many succeeded in each second.
func (f *fleet) load(t *testing.T, tr *Transport, perSecond, seconds int) []int {
	good := make([]atomic.Int64, seconds)
	var wg sync.WaitGroup
	for i := range perSecond * seconds {
		wg.Go(func() {
			method := []string{"GET", "PUT", "DELETE"}[i%3]
			req, _ := http.NewRequestWithContext(t.Context(), method, "service://identity/", strings.NewReader("x"))
			resp, err := tr.RoundTrip(req)
			if err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == 200 {
					good[i/perSecond].Add(1)
				}
			}
		})
		<-time.After(time.Second / time.Duration(perSecond))
	}
	wg.Wait()
	counts := make([]int, seconds)
	for i := range good {
		counts[i] = int(good[i].Load())
	}
	return counts
}

// One of three instances is killed every second, and back half a second later:
// no idempotent request fails, whether the registry follows or has gone away.
func TestKillsEverySecond(t *testing.T) {
	for name, told := range map[string]bool{"with the registry": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rate, seconds = 2000, 10
				f := newFleet(3)
				tr := transport(Options{}, 3, f.RoundTrip)
				tr.options.Resolver = f
				stop := make(chan struct{})
				var killer sync.WaitGroup
				killer.Go(func() { f.killOneEachSecond(told, stop) })
				for second, good := range f.load(t, tr, rate, seconds) {
					if good != rate {
						t.Errorf("second %d: %d of %d succeeded", second, good, rate)
					}
				}
				close(stop)
				killer.Wait()
				if most := int64(rate * seconds * 12 / 10); f.seen.Load() > most {
					t.Errorf("%d attempts, want at most %d", f.seen.Load(), most)
				}
			})
		})
	}
}

func (f *fleet) killOneEachSecond(told bool, stop chan struct{}) {
	for i := 0; ; i = (i + 1) % len(f.life) {
		select {
		case <-stop:
			return
		case <-time.After(450 * time.Millisecond):
		}
		f.kill(i)
		<-time.After(50 * time.Millisecond)
		if told {
			f.evict(i)
		}
		<-time.After(500 * time.Millisecond)
		f.start(i, told)
	}
}

// Everything fails at ten times the load: the instances see at most a fifth
// more than was asked for and ten a second, and two seconds after the end nearly
// everything succeeds.
func TestRecoversFromAnOutage(t *testing.T) {
	for name, act := range map[string]struct{ begin, end func(*fleet) }{
		"all answer 503": {func(f *fleet) { f.status.Store(503) }, func(f *fleet) { f.status.Store(200) }},
		"all are dead, and the registry too": {
			func(f *fleet) {
				for i := range f.life {
					f.kill(i)
				}
			}, func(f *fleet) {
				for i := range f.life {
					f.start(i, false)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rate, seconds = 100, 10
				f := newFleet(5)
				tr := transport(Options{}, 5, f.RoundTrip)
				tr.options.Resolver = f
				f.load(t, tr, rate, 2)
				f.seen.Store(0)
				act.begin(f)
				f.load(t, tr, 10*rate, seconds)
				if most := int64(12*rate*seconds + 10*(seconds+10)); f.seen.Load() > most {
					t.Errorf("%d attempts of %d requests, want at most %d", f.seen.Load(), 10*rate*seconds, most)
				}
				act.end(f)
				if good := f.load(t, tr, rate, 4); good[2] < rate*95/100 || good[3] < rate*95/100 {
					t.Errorf("successes in the seconds after the end: %v of %d", good, rate)
				}
				for id, n := range picks(tr.balancerOf("identity").current.Load(), 1000, tr.now(), nil) {
					if n < 50 {
						t.Errorf("%s gets %d of 1000 after the outage", id, n)
					}
				}
			})
		})
	}
}

// One of ten instances is fifty times slower: the 99th percentile hardly shows.
func TestSlowInstanceHardlyShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		slow := 0
		tr := transport(Options{}, 10, func(req *http.Request) (*http.Response, error) {
			took := 2 * ms
			if req.URL.Port() == "5000" {
				slow++
				took *= 50
			}
			<-time.After(took)
			return replying(200, "")(req)
		})
		const n = 6000 // a minute at a hundred a second
		for range n {
			resp, err := asked(t, tr)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			<-time.After(8 * ms)
		}
		if slow > n/100 {
			t.Errorf("%d of %d requests were slow: the 99th percentile is", slow, n)
		}
		t.Logf("%d of %d were slow", slow, n)
	})
}
