package clients

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// Every client finds the fleet and reads the answer; those that know more than
// one instance follow when it changes.
func TestEveryClientReachesTheFleet(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			var seen atomic.Int64
			up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen.Add(1)
				_, _ = io.Copy(w, r.Body)
			}))
			defer up.Close()
			fleet := NewFleet(strings.TrimPrefix(up.URL, "http://"))
			c, err := s.Open(fleet)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, method := range []string{"GET", "PUT"} {
				if status, err := c.Send(t.Context(), method, "/users/1", strings.NewReader("x")); err != nil || status != 200 {
					t.Errorf("%s: %d, %v", method, status, err)
				}
			}
			if seen.Load() != 2 || s.Version() == "" {
				t.Errorf("seen %d, version %q", seen.Load(), s.Version())
			}
		})
	}
}

func TestFleetTellsOfChanges(t *testing.T) {
	f := NewFleet("127.0.0.1:1", "127.0.0.1:2")
	addrs, changed := f.addrs()
	f.Remove("127.0.0.1:1")
	<-changed
	now, _ := f.addrs()
	if len(addrs) != 2 || len(now) != 1 || now[0] != "127.0.0.1:2" {
		t.Errorf("%v, then %v", addrs, now)
	}
	if s, err := f.Resolve(t.Context(), Service); err != nil || s.Len() != 1 {
		t.Errorf("resolved %v, %v", s, err)
	}
}
