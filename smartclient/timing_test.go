package smartclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/smartclient"
)

var errRefused = &net.OpError{Op: "dial", Err: errors.New("connection refused")}

// script answers each attempt with the next of its steps.
func script(steps ...func(*http.Request) (*http.Response, error)) (roundTrip, *[]time.Time) {
	var at []time.Time
	return func(req *http.Request) (*http.Response, error) {
		at = append(at, time.Now())
		step := steps[min(len(at), len(steps))-1]
		return step(req)
	}, &at
}

func refuses(*http.Request) (*http.Response, error) { return nil, errRefused }

func replies(status int, after string) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		h := http.Header{}
		if after != "" {
			h.Set("Retry-After", after)
		}
		return answer(req, status, h), nil
	}
}

func scripted(base http.RoundTripper) *smartclient.Client {
	o := options(newRealm(at("a", "http://10.0.0.1:1"), at("b", "http://10.0.0.2:1"), at("c", "http://10.0.0.3:1")))
	o.Base = base
	return smartclient.New(o)
}

func get(ctx context.Context, c *smartclient.Client) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", "service://identity/", nil)
	if err != nil {
		return nil, err
	}
	return c.Do(req)
}

func TestPauses(t *testing.T) {
	type step = func(*http.Request) (*http.Response, error)
	for name, tc := range map[string]struct {
		steps    []step
		deadline time.Duration // 0: none
		attempts int
		// bounds of the pause before the second and the third attempt
		second, third [2]time.Duration
		status        int
	}{
		"first retry of the unsent goes at once": {
			steps: []step{refuses, refuses, replies(200, "")}, attempts: 3, status: 200,
			third: [2]time.Duration{0, 50 * time.Millisecond},
		},
		"a busy answer pauses": {
			steps: []step{replies(503, ""), replies(200, "")}, attempts: 2, status: 200,
			second: [2]time.Duration{0, 25 * time.Millisecond},
		},
		"Retry-After says when": {
			steps: []step{replies(503, "2"), replies(200, "")}, attempts: 2, status: 200,
			second: [2]time.Duration{2 * time.Second, 2025 * time.Millisecond},
		},
		"so it does for 429": {
			steps: []step{replies(429, "2"), replies(200, "")}, attempts: 2, status: 200, deadline: 3 * time.Second,
			second: [2]time.Duration{2 * time.Second, 2025 * time.Millisecond},
		},
		"beyond the deadline it is not waited for": {
			steps: []step{replies(503, "2"), replies(200, "")}, attempts: 1, status: 503, deadline: time.Second,
		},
		"without a deadline not for ever": {
			steps: []step{replies(503, "11"), replies(200, "")}, attempts: 1, status: 503,
		},
		"within a long deadline it is": {
			steps: []step{replies(503, "60"), replies(200, "")}, attempts: 2, status: 200, deadline: 2 * time.Minute,
			second: [2]time.Duration{time.Minute, time.Minute + 25*time.Millisecond},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base, times := script(tc.steps...)
				ctx := t.Context()
				if tc.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.deadline)
					defer cancel()
				}
				resp, err := get(ctx, scripted(base))
				if err != nil || resp.StatusCode != tc.status || len(*times) != tc.attempts {
					t.Fatalf("got %v, %v after %d attempts", resp, err, len(*times))
				}
				for i, bounds := range [][2]time.Duration{tc.second, tc.third} {
					if i+1 >= len(*times) {
						break
					}
					if d := (*times)[i+1].Sub((*times)[i]); d < bounds[0] || d > bounds[1] {
						t.Errorf("pause %d was %v, want %v", i+1, d, bounds)
					}
				}
			})
		})
	}
}

// A context that ends during a pause ends the call at once.
func TestCancelDuringThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, times := script(replies(503, "9"))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		_, err := get(ctx, scripted(base))
		if !errors.Is(err, context.Canceled) || time.Since(began) != time.Second || len(*times) != 1 {
			t.Errorf("got %v after %v and %d attempts", err, time.Since(began), len(*times))
		}
	})
}

// The attempt's timeout is for the headers; a body may take as long as it likes.
func TestAttemptTimeoutSparesTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(newRealm(at("a", "http://10.0.0.1:1")))
		o.AttemptTimeout = time.Second
		var ctx context.Context
		o.Base = roundTrip(func(req *http.Request) (*http.Response, error) {
			ctx = req.Context()
			resp := answer(req, 200, nil)
			resp.Body = io.NopCloser(slowBody{req.Context()})
			return resp, nil
		})
		resp, err := smartclient.New(o).Get("service://identity/")
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, resp); got != "" || ctx.Err() == nil {
			t.Errorf("got %q, and the attempt's context is over: %v", got, ctx.Err())
		}
	})
}

// A slowBody ends after an hour, or with its request.
type slowBody struct{ ctx context.Context }

func (b slowBody) Read([]byte) (int, error) {
	select {
	case <-b.ctx.Done():
		return 0, context.Cause(b.ctx)
	case <-time.After(time.Hour):
		return 0, io.EOF
	}
}

// Everything fails, ten thousand times: the budget bounds what the instances
// see, and the error says so.
func TestBudgetStopsAmplification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, times := script(refuses)
		c := scripted(base)
		const requests = 10_000
		began, spent := time.Now(), 0
		for range requests {
			<-time.After(time.Millisecond) // a thousand a second, in virtual time
			_, err := get(t.Context(), c)
			if err == nil {
				t.Fatal("no error")
			}
			if errors.Is(err, smartclient.ErrBudgetSpent) {
				spent++
			}
		}
		most := requests + requests/5 + int(10*(time.Since(began).Seconds()+10))
		if len(*times) > most || len(*times) < requests+requests/10 {
			t.Errorf("%d attempts of %d requests, want at most %d", len(*times), requests, most)
		}
		if spent == 0 {
			t.Error("no error says that the budget was spent")
		}
	})
}

// Answers are returned as they are, even if the budget forbids to repeat.
func TestSpentBudgetReturnsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, times := script(replies(503, ""))
		o := options(newRealm(at("a", "http://10.0.0.1:1"), at("b", "http://10.0.0.2:1")))
		o.Base, o.Budget = base, smartclient.Budget{Ratio: -1, MinPerSecond: -1}
		resp, err := get(t.Context(), smartclient.New(o))
		if err != nil || resp.StatusCode != 503 || len(*times) != 1 {
			t.Errorf("got %v, %v after %d attempts", resp, err, len(*times))
		}
	})
}

// Each attempt asks the resolver anew: a table that changed during the pause
// counts.
func TestResolvesAtEachAttempt(t *testing.T) {
	r := newRealm(at("a", "http://10.0.0.1:1"))
	var hosts []string
	o := options(r)
	o.Base = roundTrip(func(req *http.Request) (*http.Response, error) {
		hosts = append(hosts, req.URL.Host)
		if len(hosts) == 1 {
			r.set(at("b", "http://10.0.0.2:1"))
			return nil, errRefused
		}
		return answer(req, 200, nil), nil
	})
	if _, err := get(t.Context(), smartclient.New(o)); err != nil {
		t.Fatal(err)
	}
	if len(hosts) != 2 || hosts[1] != "10.0.0.2:1" {
		t.Errorf("went to %v", hosts)
	}
}

// A base that proves nothing is not believed: only dial errors are unsent.
func TestForeignBase(t *testing.T) {
	for name, tc := range map[string]struct {
		err      error
		attempts int
	}{"dial": {errRefused, 3}, "other": {io.EOF, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base, times := script(func(*http.Request) (*http.Response, error) { return nil, tc.err })
				_, err := scripted(base).Post("service://identity/", "", nil)
				if !errors.Is(err, tc.err) || len(*times) != tc.attempts {
					t.Errorf("got %v after %d attempts", err, len(*times))
				}
			})
		})
	}
}
