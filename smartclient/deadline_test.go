package smartclient_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

// withPolicy sets the policy of the service identity.
func (r *realm) withPolicy(p registry.Policy) *realm {
	old := r.table.Load()
	r.table.Store(old.WithMeta("identity", registry.Meta{Policy: p}, old.Revision.Sequence+1))
	return r
}

func twoInstances() *realm {
	return newRealm(at("a", "http://10.0.0.1:1"), at("b", "http://10.0.0.2:1"))
}

// hangs waits for the request's end.
func hangs(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// A call ends when the first of those who bound it says so, and the instances
// are told the time that is left.
func TestDeadlines(t *testing.T) {
	const none = 0
	for name, tc := range map[string]struct {
		option, policy, context time.Duration
		header                  string
		want                    time.Duration
	}{
		"the option":                     {option: time.Second, want: time.Second},
		"the policy":                     {policy: time.Second, want: time.Second},
		"the context":                    {context: time.Second, want: time.Second},
		"the header":                     {header: "1000", want: time.Second},
		"the option wins":                {option: 3 * time.Second, policy: time.Second, want: 3 * time.Second},
		"the option says none":           {option: -1, policy: time.Second, context: time.Minute, want: time.Minute},
		"the header wins":                {header: "3000", policy: time.Second, want: 3 * time.Second},
		"the header cannot outlast":      {header: "9000", option: time.Second, want: time.Second},
		"the context ends all":           {context: time.Second, option: time.Minute, policy: time.Minute, want: time.Second},
		"what is left of a milli-second": {context: 500 * time.Microsecond, want: 500 * time.Microsecond},
		"a part of a milli-second":       {context: 1500 * time.Microsecond, want: 1500 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(twoInstances().withPolicy(registry.Policy{Timeout: registry.Duration(tc.policy)}))
				o.Timeout = tc.option
				var told string
				o.Base = roundTrip(func(req *http.Request) (*http.Response, error) {
					told = req.Header.Get(smartclient.HeaderTimeout)
					return hangs(req)
				})
				ctx := t.Context()
				if tc.context != none {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.context)
					defer cancel()
				}
				req, _ := http.NewRequestWithContext(ctx, "GET", "service://identity/", nil)
				if tc.header != "" {
					req.Header.Set(smartclient.HeaderTimeout, tc.header)
				}
				began := time.Now()
				_, err := smartclient.New(o).Do(req)
				if took := time.Since(began); took != tc.want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("ended after %v with %v, want %v", took, err, tc.want)
				}
				if byPolicy := strings.Contains(err.Error(), "; the service's policy gives a call 1s;"); byPolicy != (name == "the policy") {
					t.Errorf("the error is %v", err)
				}
				roundedUp := (tc.want + time.Millisecond - 1).Milliseconds()
				if want := strconv.FormatInt(roundedUp, 10); told != want {
					t.Errorf("the instance was told %q ms, want %s", told, want)
				}
			})
		})
	}
}

// Each attempt tells what is left then, and the caller's own header stays.
func TestTimeoutShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		o := options(twoInstances())
		o.AttemptTimeout, o.Timeout = time.Second, time.Minute
		o.Base = roundTrip(func(req *http.Request) (*http.Response, error) {
			told = append(told, req.Header.Get(smartclient.HeaderTimeout))
			if len(told) == 1 {
				return hangs(req)
			}
			return answer(req, 200, nil), nil
		})
		req := newRequest(t, "GET", "service://identity/", "")
		req.Header.Set(smartclient.HeaderTimeout, "5000")
		if _, err := smartclient.New(o).Do(req); err != nil {
			t.Fatal(err)
		}
		if len(told) != 2 || told[0] != "5000" || req.Header.Get(smartclient.HeaderTimeout) != "5000" {
			t.Fatalf("told %q", told)
		}
		if left, _ := strconv.Atoi(told[1]); left > 4000 || left < 3975 {
			t.Errorf("told %q", told)
		}
	})
}

// A request whose time is over is not sent at all.
func TestNoTimeLeft(t *testing.T) {
	for name, prepare := range map[string]func(*http.Request) *http.Request{
		"the header says so": func(r *http.Request) *http.Request {
			r.Header.Set(smartclient.HeaderTimeout, "0")
			return r
		},
		"the context is over": func(r *http.Request) *http.Request {
			ctx, cancel := context.WithDeadline(r.Context(), time.Now())
			cancel()
			return r.WithContext(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(twoInstances())
				base, times := script(replies(200, ""))
				o.Base = base
				_, err := smartclient.NewTransport(o).RoundTrip(prepare(newRequest(t, "POST", "service://identity/", "x")))
				var e *smartclient.Error
				if !errors.As(err, &e) || e.Processed || !errors.Is(err, context.DeadlineExceeded) || len(*times) != 0 {
					t.Errorf("got %v after %d attempts", err, len(*times))
				}
			})
		})
	}
}

// The timeout covers the answer's body, as net/http's does, and its timer goes
// with the body.
func TestTimeoutCoversTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(twoInstances())
		o.Timeout = time.Second
		o.Base = roundTrip(func(req *http.Request) (*http.Response, error) {
			resp := answer(req, 200, nil)
			resp.Body = io.NopCloser(slowBody{req.Context()})
			return resp, nil
		})
		resp, err := smartclient.New(o).Get("service://identity/")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = io.ReadAll(resp.Body)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("read ended after %v with %v", time.Since(began), err)
		}
	})
}

// What is meant to last is bound by what its caller says, not by the policy.
func TestPolicyTimeoutSparesStreams(t *testing.T) {
	for header, value := range map[string]string{"Upgrade": "websocket", "Accept": "text/event-stream"} {
		o := options(twoInstances().withPolicy(registry.Policy{Timeout: registry.Duration(time.Second)}))
		o.Base = roundTrip(func(req *http.Request) (*http.Response, error) {
			if _, bound := req.Context().Deadline(); bound || req.Header.Get(smartclient.HeaderTimeout) != "" {
				t.Errorf("%s: %s is bound", header, value)
			}
			return answer(req, 200, nil), nil
		})
		req := newRequest(t, "GET", "service://identity/", "")
		req.Header.Set(header, value)
		if _, err := smartclient.NewTransport(o).RoundTrip(req); err != nil {
			t.Error(err)
		}
	}
}

// A policy is changed while a client lives, and counts from the next call on.
func TestPolicyIsLive(t *testing.T) {
	r := newRealm(at("a", "http://10.0.0.1:1"), at("b", "http://10.0.0.2:1"), at("c", "http://10.0.0.3:1"))
	base, times := script(refuses)
	o := options(r)
	o.Base = base
	c := smartclient.New(o)
	for _, tc := range []struct{ policy, want int }{{0, 3}, {1, 1}, {2, 2}} {
		r.withPolicy(registry.Policy{Attempts: tc.policy})
		*times = (*times)[:0]
		if _, err := get(t.Context(), c); err == nil || len(*times) != tc.want {
			t.Errorf("policy of %d attempts: %d were made", tc.policy, len(*times))
		}
	}
}

func TestInbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := httptest.NewRequest("GET", "/", nil)
		plain, cancel := smartclient.Inbound(r)
		defer cancel()
		if plain != r.Context() {
			t.Error("a request that says nothing gets a context of its own")
		}
		for text, want := range map[string]time.Duration{"1500": 1500 * time.Millisecond, "0": 0, "-1": -1, "1.5": -1, "2s": -1, "99999999999": -1, "": -1} {
			r.Header.Set(smartclient.HeaderTimeout, text)
			ctx, cancel := smartclient.Inbound(r)
			deadline, ok := ctx.Deadline()
			if ok != (want >= 0) || ok && time.Until(deadline) != want {
				t.Errorf("%q: deadline %v, %v", text, deadline, ok)
			}
			cancel()
		}
	})
}

// What a service calls while it serves a repetition is repeated only if it was
// never sent, on the layers below too: so attempts add up along a chain of
// services, and do not multiply.
func TestRepetitionsOfALayerAbove(t *testing.T) {
	serving := httptest.NewRequest("POST", "/", nil)
	serving.Header.Set(smartclient.HeaderAttempt, "2")
	ctx, cancel := smartclient.Inbound(serving)
	defer cancel()
	for name, tc := range map[string]struct {
		step     func(*http.Request) (*http.Response, error)
		attempts int
		last     string
	}{
		"an answer is the answer": {replies(503, ""), 1, "2"},
		"unsent goes on":          {refuses, 3, "4"},
	} {
		t.Run(name, func(t *testing.T) {
			var told string
			base, times := script(func(req *http.Request) (*http.Response, error) {
				told = req.Header.Get(smartclient.HeaderAttempt)
				return tc.step(req)
			})
			_, _ = get(ctx, scripted(base))
			if len(*times) != tc.attempts || told != tc.last {
				t.Errorf("%d attempts, the last was told to be %s", len(*times), told)
			}
		})
	}
}

func FuzzInbound(f *testing.F) {
	for _, s := range []string{"", "0", "1500", "-1", "1e3", "18446744073709551616", "٣", " 1"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, timeout, attempt string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header[smartclient.HeaderTimeout], r.Header[smartclient.HeaderAttempt] = []string{timeout}, []string{attempt}
		ctx, cancel := smartclient.Inbound(r)
		defer cancel()
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) > 25*24*time.Hour {
			t.Errorf("%q: deadline %v", timeout, deadline)
		}
	})
}

// Whoever writes 2s meant something, and to do without it is no help to him.
func TestATimeoutThatMakesNoSense(t *testing.T) {
	for name, retry := range map[string]smartclient.RetryMode{"own": smartclient.RetryIdempotent, "carried on": smartclient.RetryUnsent} {
		t.Run(name, func(t *testing.T) {
			o := options(twoInstances())
			o.Retry = retry
			var told []string
			o.Base = roundTrip(func(req *http.Request) (*http.Response, error) {
				told = append(told, req.Header.Get(smartclient.HeaderTimeout))
				return answer(req, http.StatusOK, nil), nil
			})
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "service://identity/", nil)
			req.Header.Set(smartclient.HeaderTimeout, "2s")
			resp, err := newClient(t, o).Transport().RoundTrip(req)
			if retry == smartclient.RetryUnsent {
				if err != nil || len(told) != 1 || told[0] != "2s" {
					t.Fatalf("got %v, and %q was told", err, told)
				}
				_ = resp.Body.Close()
				return
			}
			field, ok := errors.AsType[*registry.FieldError](err)
			if !ok || field.Field != smartclient.HeaderTimeout || !strings.Contains(field.Problem, `milliseconds`) || !strings.Contains(field.Problem, `"2s"`) || len(told) > 0 {
				t.Errorf("got %v, and %q was told", err, told)
			}
		})
	}
}

// An instance that gives up as its caller does is no answer to a caller whose
// time is over, and none that a proxy would hide.
func TestAnInstanceThatGivesUpInTime(t *testing.T) {
	for name, retry := range map[string]smartclient.RetryMode{"client": smartclient.RetryIdempotent, "proxy": smartclient.RetryUnsent} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(twoInstances())
				o.Retry = retry
				asked := 0
				o.Base = roundTrip(func(req *http.Request) (*http.Response, error) {
					asked++
					<-req.Context().Done()
					return answer(req, http.StatusGatewayTimeout, nil), nil
				})
				client := smartclient.New(o)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				req, _ := http.NewRequestWithContext(ctx, "GET", "service://identity/", nil)
				resp, err := client.Transport().RoundTrip(req)
				for id, local := range client.Transport().Explain("identity") {
					if local.Failures != 0 {
						t.Errorf("%s is blamed for the caller's time", id)
					}
				}
				if retry == smartclient.RetryUnsent {
					if err != nil || resp.StatusCode != http.StatusGatewayTimeout {
						t.Fatalf("got %v, %v", resp, err)
					}
					_ = resp.Body.Close()
					return
				}
				failure, ok := errors.AsType[*smartclient.Error](err)
				if !ok || !errors.Is(err, context.DeadlineExceeded) || !failure.Processed || len(failure.Attempts) != 1 || asked != 1 {
					t.Errorf("got %v after %d attempts", err, asked)
				}
			})
		})
	}
}
