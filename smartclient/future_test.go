package smartclient_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/smartclient"
)

// inBubble returns a client whose requests are answered by act, in virtual time.
func inBubble(o smartclient.Options, act roundTrip) *smartclient.Client {
	with := options(newRealm(at("a", "http://10.0.0.1:1")))
	with.Base, with.Background = act, o.Background
	return smartclient.New(with)
}

// hang answers when the request's context ends.
func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, context.Cause(req.Context())
}

// watched answers with a body that tells when it was closed.
func watched(body *closeCounter) roundTrip {
	return func(req *http.Request) (*http.Response, error) {
		resp := answer(req, 200, nil)
		resp.Body = body
		return resp, nil
	}
}

func getting(t *testing.T, path string) *http.Request {
	t.Helper()
	return newRequest(t, "GET", "service://identity"+path, "")
}

func TestFutureHasTheAnswer(t *testing.T) {
	c := one(t, echo)
	f := c.Go(t.Context(), newRequest(t, "PUT", "service://identity/", bodyText))
	<-f.Done()
	for range 2 {
		resp, err := f.Wait()
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("got %v, %v", resp, err)
		}
	}
	resp, _ := f.Wait()
	if got := readAll(t, resp); got != bodyText {
		t.Errorf("got %q", got)
	}
}

func TestFutureEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := inBubble(smartclient.Options{}, hang).Go(ctx, getting(t, "/"))
		synctest.Wait()
		select {
		case <-f.Done():
			t.Fatal("done before it was answered")
		default:
		}
		cancel()
		if resp, err := f.Wait(); resp != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v; want the context's end", resp, err)
		}
	})
}

func TestFutureCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := inBubble(smartclient.Options{}, hang).Go(t.Context(), getting(t, "/"))
		f.Cancel()
		f.Cancel()
		if _, err := f.Wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// An answer that nobody takes is closed when its context ends; one that was
// taken is the caller's.
func TestAnswersThatNobodyTakes(t *testing.T) {
	for name, take := range map[string]bool{"left": false, "taken": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := &closeCounter{Reader: strings.NewReader("x")}
				ctx, cancel := context.WithCancel(t.Context())
				f := inBubble(smartclient.Options{}, watched(body)).Go(ctx, getting(t, "/"))
				<-f.Done()
				if take {
					_, _ = f.Wait()
				}
				cancel()
				synctest.Wait()
				if closed := body.closed.Load() > 0; closed == take {
					t.Errorf("closed: %v", closed)
				}
				if _, err := f.Wait(); take != (err == nil) {
					t.Errorf("then Wait gives %v", err)
				}
			})
		})
	}
}

func TestGoIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		release := make(chan struct{})
		c := inBubble(smartclient.Options{Background: 2}, func(req *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), running.Add(1)))
			<-release
			running.Add(-1)
			return answer(req, 200, nil), nil
		})
		started := make(chan *smartclient.Future, 5)
		go func() {
			for range 5 {
				started <- c.Go(t.Context(), getting(t, "/"))
			}
			close(started)
		}()
		synctest.Wait()
		if len(started) != 2 {
			t.Errorf("%d have started, want 2", len(started))
		}
		close(release)
		for f := range started {
			if _, err := f.Wait(); err != nil {
				t.Error(err)
			}
		}
		if most.Load() > 2 {
			t.Errorf("%d at a time", most.Load())
		}
	})
}

// Whoever waits for room gives up with the context; nothing was sent.
func TestGoGivesUpWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		c := inBubble(smartclient.Options{Background: 1}, func(req *http.Request) (*http.Response, error) {
			sent.Add(1)
			return hang(req)
		})
		first := c.Go(t.Context(), getting(t, "/"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		body := &closeCounter{Reader: strings.NewReader("x")}
		req := getting(t, "/")
		req.Body = body
		if _, err := c.Go(ctx, req).Wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if sent.Load() != 1 || body.closed.Load() == 0 {
			t.Errorf("sent %d, closed %d", sent.Load(), body.closed.Load())
		}
		first.Cancel()
	})
}

// byPath answers "/ok" at once, "/no" with 404, "/error" not at all, and lets
// all others hang.
func byPath(body io.ReadCloser) roundTrip {
	return func(req *http.Request) (*http.Response, error) {
		switch req.URL.Path {
		case "/ok":
			resp := answer(req, 200, nil)
			resp.Body = body
			return resp, nil
		case "/no":
			return answer(req, 404, nil), nil
		case "/error":
			return nil, errBroken
		}
		return hang(req)
	}
}

var errBroken = errors.New("broken")

func futures(t *testing.T, c *smartclient.Client, paths ...string) []*smartclient.Future {
	all := make([]*smartclient.Future, len(paths))
	for i, path := range paths {
		all[i] = c.Go(t.Context(), getting(t, path))
	}
	return all
}

func TestAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inBubble(smartclient.Options{}, byPath(http.NoBody))
		answers, err := smartclient.All(futures(t, c, "/ok", "/no")...)
		if err != nil || len(answers) != 2 || answers[0].StatusCode != 200 || answers[1].StatusCode != 404 {
			t.Errorf("got %v, %v; want both answers in their order", answers, err)
		}
		if none, err := smartclient.All(); err != nil || len(none) != 0 {
			t.Errorf("of none: %v, %v", none, err)
		}
	})
}

// One that fails ends the rest, and closes what was answered.
func TestAllCancelsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &closeCounter{Reader: strings.NewReader("x")}
		c := inBubble(smartclient.Options{}, byPath(body))
		all := futures(t, c, "/ok", "/hangs", "/error")
		<-all[0].Done() // or it might be cancelled before it is sent
		if answers, err := smartclient.All(all...); answers != nil || !errors.Is(err, errBroken) {
			t.Errorf("got %v, %v", answers, err)
		}
		<-all[1].Done()
		synctest.Wait()
		if body.closed.Load() == 0 {
			t.Error("the other answer was left open")
		}
	})
}

func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inBubble(smartclient.Options{}, byPath(http.NoBody))
		all := futures(t, c, "/hangs", "/error", "/no", "/ok")
		resp, err := smartclient.First(all...)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("got %v, %v; want the success", resp, err)
		}
		if _, err := all[0].Wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("the loser: %v", err)
		}
	})
}

func TestFirstTellsWhyThereIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inBubble(smartclient.Options{}, byPath(http.NoBody))
		_, err := smartclient.First(futures(t, c, "/error", "/no")...)
		var p *smartclient.Problem
		if !errors.Is(err, errBroken) || !errors.As(err, &p) || p.Status != 404 {
			t.Errorf("got %v, want both causes", err)
		}
		if _, err := smartclient.First(); err == nil {
			t.Error("of none: no error")
		}
	})
}

func TestFanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		results := smartclient.FanOut(t.Context(), 3, []int{1, 2, 3, 4, 5, 6, 7}, func(_ context.Context, n int) (int, error) {
			defer running.Add(-1)
			most.Store(max(most.Load(), running.Add(1)))
			<-time.After(time.Second)
			if n == 4 {
				return 0, errBroken
			}
			return n * n, nil
		})
		for i, r := range results {
			if n := i + 1; n == 4 && !errors.Is(r.Err, errBroken) || n != 4 && (r.Err != nil || r.Value != n*n) {
				t.Errorf("result %d: %+v", i, r)
			}
		}
		if len(results) != 7 || most.Load() > 3 {
			t.Errorf("%d results, %d at a time", len(results), most.Load())
		}
	})
}

func TestFanOutBeginsNothingAfterItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var begun atomic.Int64
	results := smartclient.FanOut(ctx, 1, make([]int, 3), func(context.Context, int) (int, error) {
		begun.Add(1)
		cancel()
		return 0, nil
	})
	if begun.Load() != 1 || results[0].Err != nil || !errors.Is(results[2].Err, context.Canceled) {
		t.Errorf("begun %d: %+v", begun.Load(), results)
	}
}
