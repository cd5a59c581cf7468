package smartclient_test

import (
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
	"fairlead.dev/smartclient"
)

// A mortal server can be killed: its listener goes and every connection is
// reset, whatever is under way.
type mortal struct {
	server *http.Server
	base   string
	seen   atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newMortal(t *testing.T) *mortal {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mortal{base: "http://" + l.Addr().String(), conns: map[net.Conn]bool{}}
	m.server = &http.Server{Handler: http.HandlerFunc(m.serve), ConnState: m.note}
	go m.server.Serve(l)
	t.Cleanup(func() { m.server.Close() })
	return m
}

func (m *mortal) serve(w http.ResponseWriter, r *http.Request) {
	m.seen.Add(1)
	_, _ = io.Copy(w, r.Body)
}

func (m *mortal) note(conn net.Conn, state http.ConnState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if state == http.StateClosed {
		delete(m.conns, conn)
		return
	}
	m.conns[conn] = true
}

func (m *mortal) kill() {
	m.mu.Lock()
	for conn := range m.conns {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	m.mu.Unlock()
	_ = m.server.Close()
}

// Two of five instances die under load, one after the other, and the table
// does not follow: no idempotent request fails, and the dead are left alone.
func TestKillUnderLoad(t *testing.T) {
	var list []registry.Instance
	var servers []*mortal
	for i := range 5 {
		servers = append(servers, newMortal(t))
		list = append(list, at(fmt.Sprintf("i%d", i), servers[i].base))
	}
	c := newClient(t, options(newRealm(list...)))
	const workers, each = 8, 600
	var done atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range each {
				checkEcho(t, c, []string{"GET", "PUT", "DELETE"}[i%3])
				switch done.Add(1) {
				case workers * each / 3:
					servers[0].kill()
				case workers * each * 2 / 3:
					servers[1].kill()
				}
			}
		})
	}
	wg.Wait()
	for i, m := range servers {
		if m.seen.Load() == 0 {
			t.Errorf("instance %d saw nothing", i)
		}
	}
}

func checkEcho(t *testing.T, c *smartclient.Client, method string) {
	body := bodyOf(method)
	req, _ := http.NewRequest(method, "service://identity/", strings.NewReader(body))
	resp, err := c.Do(req)
	if err != nil {
		t.Errorf("%s: %v", method, err)
		return
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != body || resp.StatusCode != 200 {
		t.Errorf("%s: got %d %q, %v", method, resp.StatusCode, got, err)
	}
}

// One of ten instances is fifty times slower than the others: hardly any
// request finds it. In virtual time, so that nothing else makes them slow.
func TestSlowInstanceIsAvoided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list []registry.Instance
		for i := range 10 {
			list = append(list, at(fmt.Sprintf("i%d", i), fmt.Sprintf("http://10.0.0.1:%d", 5000+i)))
		}
		var slow atomic.Int64
		o := options(newRealm(list...))
		o.Base = roundTrip(func(req *http.Request) (*http.Response, error) {
			took := time.Millisecond
			if req.URL.Port() == "5000" {
				slow.Add(1)
				took *= 50
			}
			<-time.After(took)
			return answer(req, 200, nil), nil
		})
		c := smartclient.New(o)
		const workers, each = 8, 2000
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range each {
					checkEcho(t, c, "GET")
				}
			})
		}
		wg.Wait()
		if n := slow.Load(); n > workers*each/200 {
			t.Errorf("%d of %d requests went to the slow instance", n, workers*each)
		}
	})
}

// The table changes all the time under load; nothing fails, and what is kept
// of instances does not grow.
func TestTableChangesUnderLoad(t *testing.T) {
	a, b := newMortal(t), newMortal(t)
	r := newRealm(at("a", a.base), at("b", b.base))
	c := newClient(t, options(r))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			one := at("a", a.base)
			one.Incarnation = fmt.Sprint(i)
			two := at("b", b.base)
			two.Enabled = i%2 == 0
			r.set(one, two)
		}
	})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for range 200 {
				checkEcho(t, c, "PUT")
			}
		})
	}
	load.Wait()
	close(stop)
	wg.Wait()
}
