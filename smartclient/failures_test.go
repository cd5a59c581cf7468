package smartclient_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"fairlead.dev/smartclient"
)

const bodyText = "hello"

// A failure is one way in which a server fails, and who may be asked again.
type failure struct {
	name string
	act  func(*net.TCPConn, *http.Request) // nil: nobody listens
	// repeated by the smart client's rules and by a proxy's, per method.
	client, proxy map[string]bool
	// status is what the caller sees if the failure is not repeated; 0: an error.
	status int
}

func says(text string) func(*net.TCPConn, *http.Request) {
	return func(conn *net.TCPConn, _ *http.Request) { _, _ = io.WriteString(conn, text) }
}

func status(line string) func(*net.TCPConn, *http.Request) {
	return says("HTTP/1.1 " + line + "\r\nContent-Length: 0\r\n\r\n")
}

func set(methods ...string) map[string]bool {
	m := map[string]bool{}
	for _, name := range methods {
		m[name] = true
	}
	return m
}

var (
	allMethods = []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH"}
	all        = set(allMethods...)
	idempotent = set("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE")
	plain      = set("GET", "HEAD", "OPTIONS")
	none       = set()
)

func failures() []failure {
	return []failure{
		{"refuses", nil, all, all, 0},
		{"resets before headers", func(c *net.TCPConn, _ *http.Request) { reset(c) }, idempotent, plain, 0},
		{"closes before headers", func(c *net.TCPConn, _ *http.Request) { _ = c.Close() }, idempotent, plain, 0},
		{"resets within headers", func(c *net.TCPConn, r *http.Request) {
			says("HTTP/1.1 200 OK\r\nContent-Le")(c, r)
			_ = c.Close()
		}, idempotent, plain, 0},
		{"hangs", func(c *net.TCPConn, _ *http.Request) { _, _ = c.Read(make([]byte, 1)) }, idempotent, plain, 0},
		{"slow headers", func(c *net.TCPConn, r *http.Request) {
			says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")(c, r)
			_, _ = c.Read(make([]byte, 1))
		}, idempotent, plain, 0},
		{"answers rubbish", says("what?\r\n\r\n"), idempotent, plain, 0},
		{"answers a status that is none", status("099 Odd"), idempotent, plain, 0},
		{"answers 500", status("500 Oops"), none, none, 500},
		{"answers 501", status("501 No"), none, none, 501},
		{"answers 502", status("502 Bad"), idempotent, none, 502},
		{"answers 503", status("503 Busy"), idempotent, none, 503},
		{"answers 503 with Retry-After", status("503 Busy\r\nRetry-After: 0"), idempotent, none, 503},
		{"answers 503, come back too late", status("503 Busy\r\nRetry-After: 3600"), none, none, 503},
		{"answers 504", status("504 Late"), idempotent, none, 504},
		{"answers 429", status("429 Slow down"), none, none, 429},
		{"answers 429 with Retry-After", status("429 Slow down\r\nRetry-After: 0"), idempotent, none, 429},
		{"answers 404", status("404 What"), none, none, 404},
		{"answers 409", status("409 Clash"), none, none, 409},
	}
}

func bodyOf(method string) string {
	if method == "PUT" || method == "POST" || method == "PATCH" {
		return bodyText
	}
	return ""
}

// Each failure × each method × both modes × both kinds of connections, against
// real sockets: the failing instance is in the client's zone and so is asked
// first, the good one is not.
func TestWhatIsRepeated(t *testing.T) {
	for wires, on := range map[string]func(*http.Request) *http.Request{"own": asItIs, "net-http": traced} {
		for _, f := range failures() {
			for _, method := range allMethods {
				t.Run(f.name+"/client/"+method+"/"+wires, func(t *testing.T) {
					req := on(newRequest(t, method, "service://identity/users/1", bodyOf(method)))
					testFailure(t, f, req, smartclient.RetryIdempotent, f.client[method])
				})
				t.Run(f.name+"/proxy/"+method+"/"+wires, func(t *testing.T) {
					req := on(newRequest(t, method, "service://identity/users/1", bodyOf(method)))
					testFailure(t, f, req, smartclient.RetryUnsent, f.proxy[method])
				})
			}
		}
	}
}

func asItIs(req *http.Request) *http.Request { return req }

// traced has a request go by net/http's connections.
func traced(req *http.Request) *http.Request {
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{}))
}

func testFailure(t *testing.T, f failure, req *http.Request, mode smartclient.RetryMode, repeated bool) {
	t.Parallel()
	bad, badSeen := refusing(t), int64(0)
	seenBad := func() int64 { return 0 }
	if f.act != nil {
		base, seen := serveRaw(t, f.act)
		bad, badSeen, seenBad = base, 1, seen.Load
	}
	good, goodSeen := serve(t, echo)
	o := options(newRealm(in("here", at("bad", bad)), at("good", good)))
	o.Retry = mode
	if f.name == "hangs" || f.name == "slow headers" {
		o.AttemptTimeout = time.Second // what a busy machine may need to connect, so that the request is sent
	}
	resp, err := newClient(t, o).Do(req)
	wantGood := int64(0)
	if repeated {
		wantGood = 1
	}
	checkOutcome(t, f, req.Method, repeated, resp, err)
	if seenBad() != badSeen || goodSeen.Load() != wantGood {
		t.Errorf("failing server saw %d, good one %d; want %d and %d", seenBad(), goodSeen.Load(), badSeen, wantGood)
	}
}

func checkOutcome(t *testing.T, f failure, method string, repeated bool, resp *http.Response, err error) {
	t.Helper()
	switch {
	case repeated && err != nil:
		t.Fatalf("not repeated: %v", err)
	case repeated:
		want := bodyOf(method)
		if got := readAll(t, resp); resp.StatusCode != 200 || got != want {
			t.Fatalf("got %d %q, want 200 %q", resp.StatusCode, got, want)
		}
	case f.status != 0:
		if err != nil || resp.StatusCode != f.status {
			t.Fatalf("got %v, %v; want status %d", resp, err, f.status)
		}
		resp.Body.Close()
	default:
		checkError(t, resp, err)
	}
}

func checkError(t *testing.T, resp *http.Response, err error) {
	t.Helper()
	var e *smartclient.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, %v; want an *Error", resp, err)
	}
	if len(e.Attempts) != 1 || e.Attempts[0].Instance != "bad" || !e.Processed || e.Service != "identity" || e.Realm != "test" {
		t.Errorf("got %+v", e)
	}
}

// A body that breaks off comes after its headers were delivered: the caller
// gets the error, and nobody is asked again.
func TestHalfABodyIsNotRepeated(t *testing.T) {
	for _, method := range allMethods {
		if method != "HEAD" { // whose answers have no body
			t.Run(method, func(t *testing.T) { testHalfABody(t, method) })
		}
	}
}

func testHalfABody(t *testing.T, method string) {
	bad, badSeen := serveRaw(t, func(c *net.TCPConn, r *http.Request) {
		says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")(c, r)
		_ = c.Close()
	})
	good, goodSeen := serve(t, echo)
	c := newClient(t, options(newRealm(in("here", at("bad", bad)), at("good", good))))
	resp, err := c.Do(newRequest(t, method, "service://identity/", bodyOf(method)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, err := io.ReadAll(resp.Body); string(data) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v; want half and an unexpected EOF", data, err)
	}
	if badSeen.Load() != 1 || goodSeen.Load() != 0 {
		t.Errorf("seen %d and %d, want 1 and 0", badSeen.Load(), goodSeen.Load())
	}
}

// Headers that trickle in slower than the attempt's timeout are a failure.
func TestSlowHeadersTimeOut(t *testing.T) {
	bad, _ := serveRaw(t, func(c *net.TCPConn, r *http.Request) {
		says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")(c, r)
		_, _ = c.Read(make([]byte, 1))
	})
	o := options(newRealm(at("bad", bad)))
	o.AttemptTimeout = 50 * time.Millisecond
	_, err := newClient(t, o).Get("service://identity/")
	var timeout interface{ Timeout() bool }
	if !errors.Is(err, smartclient.ErrAttemptTimeout) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v, want an attempt timeout", err)
	}
}

func TestThreeAttemptsEachOnAnotherInstance(t *testing.T) {
	var counts [4]func() int64
	r := newRealm()
	var list []string
	for i := range counts {
		base, seen := serveRaw(t, status("503 Busy"))
		counts[i] = seen.Load
		list = append(list, base)
	}
	r.set(at("a", list[0]), at("b", list[1]), at("c", list[2]), at("d", list[3]))
	resp, err := newClient(t, options(r)).Get("service://identity/")
	if err != nil || resp.StatusCode != 503 {
		t.Fatalf("got %v, %v; want the last 503 as an answer", resp, err)
	}
	resp.Body.Close()
	total := int64(0)
	for i, n := range counts {
		total += n()
		if n() > 1 {
			t.Errorf("instance %d saw %d", i, n())
		}
	}
	if total != 3 {
		t.Errorf("%d attempts, want 3", total)
	}
}

// With one instance only, what was never sent is tried there again; what was
// sent is not.
func TestTheOnlyInstance(t *testing.T) {
	t.Run("refuses", func(t *testing.T) {
		_, err := newClient(t, options(newRealm(at("a", refusing(t))))).Post("service://identity/", "", nil)
		var e *smartclient.Error
		if !errors.As(err, &e) || len(e.Attempts) != 3 || e.Processed {
			t.Errorf("got %v, want three attempts and nothing processed", err)
		}
	})
	t.Run("resets", func(t *testing.T) {
		base, seen := serveRaw(t, func(c *net.TCPConn, _ *http.Request) { reset(c) })
		_, err := newClient(t, options(newRealm(at("a", base)))).Get("service://identity/")
		var e *smartclient.Error
		if !errors.As(err, &e) || len(e.Attempts) != 1 || !e.Processed || seen.Load() != 1 {
			t.Errorf("got %v, seen %d; want one attempt", err, seen.Load())
		}
	})
	t.Run("says when", func(t *testing.T) {
		base, seen := serveRaw(t, status("503 Busy\r\nRetry-After: 0"))
		resp, err := newClient(t, options(newRealm(at("a", base)))).Get("service://identity/")
		if err != nil || resp.StatusCode != 503 || seen.Load() != 3 {
			t.Errorf("got %v, %v after %d, want 503 after 3", resp, err, seen.Load())
		}
	})
}

func TestLayersDoNotMultiply(t *testing.T) {
	base, seen := serveRaw(t, status("503 Busy"))
	other, _ := serveRaw(t, status("503 Busy"))
	c := newClient(t, options(newRealm(in("here", at("a", base)), at("b", other))))
	req := newRequest(t, "GET", "service://identity/", "")
	req.Header.Set("Fairlead-Attempt", "2")
	resp, err := c.Do(req)
	if err != nil || resp.StatusCode != 503 || seen.Load() != 1 {
		t.Errorf("got %v, %v, seen %d; want one attempt", resp, err, seen.Load())
	}
}

func TestAttemptHeader(t *testing.T) {
	for _, tc := range []struct{ given, want string }{{"", "2"}, {"2", "3"}, {"rubbish", "2"}, {"-1", "2"}} {
		t.Run(fmt.Sprintf("%q", tc.given), func(t *testing.T) {
			good, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, r.Header.Get("Fairlead-Attempt"))
			})
			req := newRequest(t, "GET", "service://identity/", "")
			if tc.given != "" {
				req.Header.Set("Fairlead-Attempt", tc.given)
			}
			resp, err := newClient(t, options(newRealm(in("here", at("bad", refusing(t))), at("good", good)))).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, resp); got != tc.want || req.Header.Get("Fairlead-Attempt") != tc.given {
				t.Errorf("got %q, want %q, and the caller's header untouched", got, tc.want)
			}
		})
	}
}
