package smartclient

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A stage answers attempts as each test has it, in virtual time.
type stage struct {
	mu       sync.Mutex
	attempts []string // numbers, as the instances were told them
	canceled int
	act      func(n int, req *http.Request) (time.Duration, int)
}

func (s *stage) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.attempts = append(s.attempts, first(req.Header, HeaderAttempt))
	took, status := s.act(len(s.attempts), req)
	s.mu.Unlock()
	select {
	case <-time.After(took):
		return replying(status, "x")(req)
	case <-req.Context().Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		s.canceled++
		return nil, req.Context().Err()
	}
}

// rehearsed is a transport that knows from 200 answers that they take 10 ms.
func rehearsed(t *testing.T, o Options, s *stage) *Transport {
	t.Helper()
	act := s.act
	s.act = func(int, *http.Request) (time.Duration, int) { return 10 * time.Millisecond, 200 }
	tr := transport(o, 3, s.RoundTrip)
	for range 200 {
		resp, err := asked(t, tr)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	s.act, s.attempts = act, nil
	return tr
}

func steps(all ...func() (time.Duration, int)) func(int, *http.Request) (time.Duration, int) {
	return func(n int, _ *http.Request) (time.Duration, int) { return all[min(n, len(all))-1]() }
}

func in(took time.Duration, status int) func() (time.Duration, int) {
	return func() (time.Duration, int) { return took, status }
}

func TestHedging(t *testing.T) {
	const ms = time.Millisecond
	slow, quick := in(time.Second, 200), in(10*ms, 200)
	for name, tc := range map[string]struct {
		options          Options
		method, body     string
		act              func(int, *http.Request) (time.Duration, int)
		attempts         int
		canceled, status int
		within           [2]time.Duration
	}{
		"a slow one is outrun":         {Options{Hedge: On}, "GET", "", steps(slow, quick), 2, 1, 200, [2]time.Duration{20 * ms, 25 * ms}},
		"a quick one has no hedge":     {Options{Hedge: On}, "GET", "", steps(quick), 1, 0, 200, [2]time.Duration{10 * ms, 10 * ms}},
		"the first wins after all":     {Options{Hedge: On}, "GET", "", steps(in(18*ms, 200), slow), 2, 1, 200, [2]time.Duration{18 * ms, 18 * ms}},
		"both are slow":                {Options{Hedge: On}, "GET", "", steps(slow, slow), 2, 1, 200, [2]time.Duration{time.Second, time.Second}},
		"a bad answer does not win":    {Options{Hedge: On}, "GET", "", steps(in(50*ms, 200), in(5*ms, 503)), 2, 0, 200, [2]time.Duration{50 * ms, 50 * ms}},
		"two bad ones, then a third":   {Options{Hedge: On}, "GET", "", steps(in(30*ms, 503), in(5*ms, 503), quick), 3, 0, 200, [2]time.Duration{40 * ms, 120 * ms}},
		"PUT with a copy of its body":  {Options{Hedge: On}, "PUT", "x", steps(slow, quick), 2, 1, 200, [2]time.Duration{20 * ms, 25 * ms}},
		"never POST":                   {Options{Hedge: On}, "POST", "x", steps(slow, quick), 1, 0, 200, [2]time.Duration{time.Second, time.Second}},
		"nobody asked for it":          {Options{}, "GET", "", steps(slow, quick), 1, 0, 200, [2]time.Duration{time.Second, time.Second}},
		"a proxy does not":             {Options{Hedge: On, Retry: RetryUnsent}, "GET", "", steps(slow, quick), 1, 0, 200, [2]time.Duration{time.Second, time.Second}},
		"one attempt is one":           {Options{Hedge: On, MaxAttempts: 1}, "GET", "", steps(slow, quick), 1, 0, 200, [2]time.Duration{time.Second, time.Second}},
		"the budget has nothing left":  {Options{Hedge: On, Budget: Budget{Ratio: -1, MinPerSecond: -1}}, "GET", "", steps(slow, quick), 1, 0, 200, [2]time.Duration{time.Second, time.Second}},
		"an attempt's timeout is kept": {Options{Hedge: On, AttemptTimeout: 100 * ms}, "GET", "", steps(slow, slow, quick), 3, 2, 200, [2]time.Duration{110 * ms, 250 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stage{act: tc.act}
				tr := rehearsed(t, tc.options, s)
				var body io.Reader
				if tc.body != "" {
					body = strings.NewReader(tc.body)
				}
				req, _ := http.NewRequestWithContext(t.Context(), tc.method, "service://identity/", body)
				began := time.Now()
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				took := time.Since(began)
				if text, err := io.ReadAll(resp.Body); string(text) != "x" || err != nil {
					t.Errorf("read %q, %v: the winner's answer must outlive the loser", text, err)
				}
				synctest.Wait()
				if len(s.attempts) != tc.attempts || s.canceled != tc.canceled || resp.StatusCode != tc.status {
					t.Errorf("%d attempts, %d canceled, status %d; want %d, %d, %d", len(s.attempts), s.canceled, resp.StatusCode, tc.attempts, tc.canceled, tc.status)
				}
				if took < tc.within[0] || took > tc.within[1] {
					t.Errorf("took %v, want %v", took, tc.within)
				}
				if tc.attempts > 1 && s.attempts[1] != "2" {
					t.Errorf("the hedge was told that it is attempt %q", s.attempts[1])
				}
				if n := InFlight(tr, "identity"); n != 0 {
					t.Errorf("%d in flight when all is over", n)
				}
			})
		})
	}
}

// A hedge that is not sent after all takes nobody's right to probe an ejected
// instance.
func TestAHedgeThatIsNotSentClaimsNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{act: steps(in(time.Second, 200))}
		tr := rehearsed(t, Options{Hedge: On, Budget: Budget{Ratio: -1, MinPerSecond: -1}}, s)
		all, until := tr.balancerOf("identity").current.Load().all(), tr.now()+5*time.Millisecond
		for i := range all[1:] {
			all[1+i].load.ejected.until.Store(int64(until))
		}
		resp, err := asked(t, tr)
		if err != nil || len(s.attempts) != 1 {
			t.Fatalf("got %v after %d attempts", err, len(s.attempts))
		}
		_ = resp.Body.Close()
		for i := range all[1:] {
			if got := time.Duration(all[1+i].load.ejected.until.Load()); got != until {
				t.Errorf("%s is probed until %v", all[1+i].instance.ID, got)
			}
		}
	})
}

// Too little is known of a service that nobody called yet.
func TestNoHedgeWithoutKnowledge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{act: steps(in(time.Hour, 200))}
		resp, err := asked(t, transport(Options{Hedge: On}, 3, s.RoundTrip))
		if err != nil || len(s.attempts) != 1 {
			t.Fatalf("got %v after %d attempts", err, len(s.attempts))
		}
		_ = resp.Body.Close()
	})
}

// The caller's end ends both attempts.
func TestCancelEndsTheRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{act: steps(in(time.Hour, 200))}
		tr := rehearsed(t, Options{Hedge: On}, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "service://identity/", nil)
		_, err := tr.RoundTrip(req)
		synctest.Wait()
		if err == nil || s.canceled != 2 {
			t.Errorf("got %v, %d canceled", err, s.canceled)
		}
	})
}

// Hedging does not hide a slow instance: losing says how slow it is.
func TestLosersAreFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{}
		tr := rehearsed(t, Options{Hedge: On}, s)
		bad, asksBad := "127.0.0.1:5000", 0
		s.act = func(_ int, req *http.Request) (time.Duration, int) {
			if req.URL.Host == bad {
				asksBad++
				return time.Second, 200
			}
			return 10 * time.Millisecond, 200
		}
		const n = 1000
		for range n {
			resp, err := asked(t, tr)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
		if asksBad == 0 || asksBad > n/50 {
			t.Errorf("%d of %d went to the slow one", asksBad, n)
		}
	})
}

// A host that swallows what is sent to it is the instance's fault, and nothing
// of the request was sent.
func TestHangingDialIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := transport(Options{AttemptTimeout: 500 * time.Millisecond}, 3, nil)
		dials := 0
		tr.ours, tr.base = true, base(func(req *http.Request) (*http.Response, error) {
			if dials++; dials == 1 {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			return replying(200, "")(req)
		})
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "service://identity/", io.NopCloser(strings.NewReader("x")))
		resp, err := tr.RoundTrip(req)
		if err != nil || dials != 2 {
			t.Fatalf("got %v after %d", err, dials)
		}
		_ = resp.Body.Close()
	})
}
