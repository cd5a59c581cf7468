package smartclient

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
)

func TestRefusal(t *testing.T) {
	for because, tc := range map[string]struct {
		requests, accepted int64
		want               float64
	}{
		"nothing asked yet":       {0, 0, 0},
		"all accepted":            {1000, 1000, 0},
		"half accepted":           {1000, 500, 0},
		"a quarter accepted":      {999, 250, 0.499},
		"none accepted":           {999, 0, 0.999},
		"the first has a chance":  {1, 0, 0.5},
		"more than was asked for": {10, 20, 0},
	} {
		if got := refusal(2, tc.requests, tc.accepted); math.Abs(got-tc.want) > 0.0005 {
			t.Errorf("%s: got %v, want %v", because, got, tc.want)
		}
	}
}

func TestAccepted(t *testing.T) {
	for _, tc := range []struct {
		o    outcome
		want bool
	}{
		{outcome{status: 200}, true}, {outcome{status: 500}, true}, {outcome{status: 404}, true},
		{outcome{status: 429}, false}, {outcome{status: 503}, false}, {outcome{}, false}, {outcome{final: true}, true},
	} {
		if got := accepted(tc.o); got != tc.want {
			t.Errorf("%+v: got %v", tc.o, got)
		}
	}
}

type base func(*http.Request) (*http.Response, error)

func (f base) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

type fixed struct{ s *registry.Service }

func (f fixed) Resolve(context.Context, string) (*registry.Service, error) { return f.s, nil }

func transport(o Options, n int, b base) *Transport {
	o.Logger, o.Resolver, o.Base = slog.New(slog.DiscardHandler), fixed{servicing(instances(make([]int, n)...))}, b
	return NewTransport(o)
}

func replying(status int, body string) base {
	return func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	}
}

func asked(t *testing.T, tr *Transport) (*http.Response, error) {
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "service://identity/", nil)
	return tr.RoundTrip(req)
}

// While a service refuses everything hardly anything is sent; once it accepts
// again, soon everything is.
func TestThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent, status := 0, 503
		tr := transport(Options{Throttle: 2, MaxAttempts: 1}, 3, func(req *http.Request) (*http.Response, error) {
			sent++
			return replying(status, "")(req)
		})
		second := func() (refused int) {
			for range 100 {
				<-time.After(10 * time.Millisecond)
				resp, err := asked(t, tr)
				if err == nil {
					_ = resp.Body.Close()
					continue
				}
				var e *Error
				if !errors.Is(err, ErrThrottled) || !errors.As(err, &e) || e.Processed || len(e.Attempts) != 0 {
					t.Fatalf("got %v", err)
				}
				refused++
			}
			return refused
		}
		for range 10 {
			second()
		}
		if sent > 30 {
			t.Errorf("%d of 1000 were sent to a service that refuses all", sent)
		}
		status = 200
		for range 90 {
			second()
		}
		if refused := second(); refused != 0 {
			t.Errorf("%d of 100 refused though all is well", refused)
		}
	})
}

func TestMaxInFlight(t *testing.T) {
	tr := transport(Options{MaxInFlight: 2}, 3, replying(200, "x"))
	first, err := asked(t, tr)
	if err != nil {
		t.Fatal(err)
	}
	second, err := asked(t, tr)
	if err != nil {
		t.Fatal(err)
	}
	_, err = asked(t, tr)
	var e *Error
	if !errors.Is(err, ErrTooManyInFlight) || !errors.As(err, &e) || e.Processed {
		t.Fatalf("got %v", err)
	}
	_ = first.Body.Close()
	_ = first.Body.Close()
	third, err := asked(t, tr)
	if err != nil {
		t.Fatalf("an answer was closed, and still: %v", err)
	}
	_, _ = io.ReadAll(second.Body) // reading to the end is enough
	_ = third.Body.Close()
	if n := tr.balancerOf("identity").admission.inFlight.Load(); n != 0 {
		t.Errorf("%d in flight", n)
	}
}

func TestFailedCallsLeave(t *testing.T) {
	tr := transport(Options{MaxInFlight: 1}, 3, func(*http.Request) (*http.Response, error) { return nil, io.EOF })
	for range 3 {
		if _, err := asked(t, tr); !errors.Is(err, io.EOF) {
			t.Fatalf("got %v", err)
		}
	}
}

// A request that has less time than the quickest of many took is not sent. When
// nothing was heard for long, it is tried.
func TestTooLittleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		tr := transport(Options{}, 3, func(req *http.Request) (*http.Response, error) {
			sent++
			select {
			case <-time.After(50 * time.Millisecond):
				return replying(200, "")(req)
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		})
		within := func(d time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", "service://identity/", nil)
			resp, err := tr.RoundTrip(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			return err
		}
		for range 200 {
			if err := within(time.Second); err != nil {
				t.Fatal(err)
			}
		}
		sent = 0
		if err := within(20 * time.Millisecond); !errors.Is(err, ErrNoTime) || !errors.Is(err, context.DeadlineExceeded) || sent != 0 {
			t.Errorf("got %v, sent %d", err, sent)
		}
		if err := within(60 * time.Millisecond); err != nil {
			t.Errorf("got %v with time enough", err)
		}
		<-time.After(time.Minute)
		if err := within(20 * time.Millisecond); errors.Is(err, ErrNoTime) || sent != 2 {
			t.Errorf("got %v, sent %d, though nothing is known any more", err, sent)
		}
	})
}
