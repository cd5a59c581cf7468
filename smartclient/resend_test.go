package smartclient_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"fairlead.dev/smartclient"
)

// A fickle server keeps a connection open after its first answer, and resets
// it when the next request has been read: a kept connection that dies with a
// request on it, which may have been processed.
func serveFickle(t *testing.T) (base string, seen *atomic.Int64) {
	var first atomic.Bool
	return serveRaw(t, func(c *net.TCPConn, r *http.Request) {
		if first.CompareAndSwap(false, true) {
			status("200 OK")(c, r)
			return
		}
		reset(c)
	})
}

func warm(t *testing.T, c *smartclient.Client) {
	t.Helper()
	resp, err := c.Get("service://identity/")
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, resp)
}

// What was written on a kept connection that died is not repeated for POST,
// with or without an Idempotency-Key, which would make net/http repeat it.
func TestPostOnADyingConnectionIsNotRepeated(t *testing.T) {
	for _, header := range []string{"", "Idempotency-Key", "X-Idempotency-Key"} {
		for _, body := range []string{"", bodyText} {
			t.Run(header+"/"+body, func(t *testing.T) {
				base, seen := serveFickle(t)
				good, goodSeen := serve(t, echo)
				c := newClient(t, options(newRealm(in("here", at("bad", base)), at("good", good))))
				warm(t, c)
				req := newRequest(t, "POST", "service://identity/", body)
				if header != "" {
					req.Header.Set(header, "k1")
				}
				_, err := c.Do(req)
				var e *smartclient.Error
				if !errors.As(err, &e) || !e.Processed || len(e.Attempts) != 1 {
					t.Errorf("got %v, want one attempt that may have been processed", err)
				}
				if seen.Load() != 2 || goodSeen.Load() != 0 {
					t.Errorf("seen %d and %d, want 2 and 0", seen.Load(), goodSeen.Load())
				}
			})
		}
	}
}

func TestIdempotencyKeyArrives(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Idempotency-Key"))
	})
	req := newRequest(t, "POST", "service://identity/", "")
	req.Header.Set("Idempotency-Key", "k1")
	resp, err := newClient(t, options(newRealm(at("a", base)))).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got != "k1" || req.Header.Get("Idempotency-Key") != "k1" {
		t.Errorf("got %q", got)
	}
}

// PUT is idempotent, but net/http does not repeat it by itself: this client
// does, on another instance.
func TestPutOnADyingConnectionIsRepeatedElsewhere(t *testing.T) {
	base, seen := serveFickle(t)
	good, goodSeen := serve(t, echo)
	c := newClient(t, options(newRealm(in("here", at("bad", base)), at("good", good))))
	warm(t, c)
	resp, err := c.Put("service://identity/", "text/plain", strings.NewReader(bodyText))
	if err != nil || readAll(t, resp) != bodyText {
		t.Fatalf("got %v, %v", resp, err)
	}
	if seen.Load() != 2 || goodSeen.Load() != 1 {
		t.Errorf("seen %d and %d, want 2 and 1", seen.Load(), goodSeen.Load())
	}
}

// A restarted server: its kept connections are dead before anything is
// written on them. Every method goes through, a streamed POST too.
func TestDeadIdleConnections(t *testing.T) {
	for _, method := range allMethods {
		t.Run(method, func(t *testing.T) {
			dead := make(chan struct{})
			var first atomic.Bool
			base, _ := serveRaw(t, func(c *net.TCPConn, r *http.Request) {
				if first.CompareAndSwap(false, true) {
					says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c, r)
					_ = c.Close()
					close(dead)
					return
				}
				says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c, r)
			})
			c := newClient(t, options(newRealm(at("a", base))))
			warm(t, c)
			<-dead
			req := newRequest(t, method, "service://identity/", bodyOf(method))
			if method == "POST" {
				req.GetBody = nil // as a streamed body
			}
			resp, err := c.Do(req)
			var e *smartclient.Error
			if err == nil {
				resp.Body.Close()
				return
			}
			// The kernel may take the first bytes before it tells of the
			// close; then a request that is not idempotent must fail. The
			// others may go to the same instance again.
			if !errors.As(err, &e) || !e.Processed || idempotent[method] {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A connection that fails its first write proves that nothing was sent: even
// a POST goes to another instance, by net/http's connections and by our own.
func TestUnsentOnAFailingConnection(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		bad, badSeen := serveRaw(t, func(c *net.TCPConn, r *http.Request) { reset(c) })
		good, goodSeen := serve(t, echo)
		c := newClient(t, options(newRealm(in("here", at("bad", bad)), at("good", good))))
		smartclient.WrapConns(c.Transport(), func(conn net.Conn) net.Conn {
			if conn.RemoteAddr().String() == strings.TrimPrefix(bad, "http://") {
				return mute{conn}
			}
			return conn
		})
		req := newRequest(t, "POST", "service://identity/", bodyText)
		if streamed {
			req.GetBody = nil
		}
		resp, err := c.Do(req)
		if err != nil || readAll(t, resp) != bodyText {
			t.Fatalf("streamed %v: got %v, %v", streamed, resp, err)
		}
		if badSeen.Load() != 0 || goodSeen.Load() != 1 {
			t.Errorf("streamed %v: seen %d and %d, want 0 and 1", streamed, badSeen.Load(), goodSeen.Load())
		}
	}
}

// A body of which something was read cannot be sent again, whatever the
// method allows: of unknown length, or too long to be buffered.
func TestReadBodyDoesNotMoveOn(t *testing.T) {
	for name, length := range map[string]int64{"unknown length": -1, "64 KiB and one": 64<<10 + 1, "64 KiB": 64 << 10} {
		t.Run(name, func(t *testing.T) {
			bad, _ := serveRaw(t, func(c *net.TCPConn, _ *http.Request) { reset(c) })
			good, goodSeen := serve(t, echo)
			c := newClient(t, options(newRealm(in("here", at("bad", bad)), at("good", good))))
			req := newRequest(t, "PUT", "service://identity/", "")
			req.Body, req.ContentLength = io.NopCloser(io.LimitReader(zeros{}, max(length, 5))), length
			resp, err := c.Do(req)
			if length == 64<<10 { // the most that is buffered
				if err != nil || len(readAll(t, resp)) != 64<<10 {
					t.Errorf("got %v, %v; want it repeated whole", resp, err)
				}
				return
			}
			var e *smartclient.Error
			if !errors.As(err, &e) || !e.Processed || len(e.Attempts) != 1 || goodSeen.Load() != 0 {
				t.Errorf("got %v, want one attempt", err)
			}
		})
	}
}

// With a foreign base net/http may resend and then fail to dial: the dial
// error does not prove that nothing was sent before.
func TestForeignBaseThatResends(t *testing.T) {
	var l net.Listener
	var first atomic.Bool
	base, seen := serveRaw(t, func(c *net.TCPConn, r *http.Request) {
		if first.CompareAndSwap(false, true) {
			status("200 OK")(c, r)
			return
		}
		_ = l.Close()
		reset(c)
	})
	l = listenerOf(t, base)
	good, goodSeen := serve(t, echo)
	o := options(newRealm(in("here", at("bad", base)), at("good", good)))
	o.Base = &http.Transport{}
	c := newClient(t, o)
	warm(t, c)
	req := newRequest(t, "POST", "service://identity/", "")
	req.Header.Set("Idempotency-Key", "k1")
	_, err := c.Do(req)
	var e *smartclient.Error
	if !errors.As(err, &e) || !e.Processed || seen.Load() != 2 || goodSeen.Load() != 0 {
		t.Errorf("got %v, seen %d and %d", err, seen.Load(), goodSeen.Load())
	}
}

// A mute connection refuses all writes.
type mute struct{ net.Conn }

func (mute) Write([]byte) (int, error) { return 0, net.ErrClosed }

// A streamed body of which nothing was read is given to the next attempt.
func TestUnreadBodyMovesOn(t *testing.T) {
	good, _ := serve(t, echo)
	c := newClient(t, options(newRealm(in("here", at("bad", refusing(t))), at("good", good))))
	body := &closeCounter{Reader: strings.NewReader(bodyText)}
	req := newRequest(t, "POST", "service://identity/", "")
	req.Body, req.ContentLength = body, int64(len(bodyText))
	resp, err := c.Do(req)
	if err != nil || readAll(t, resp) != bodyText {
		t.Fatalf("got %v, %v", resp, err)
	}
	if n := body.closed.Load(); n != 1 {
		t.Errorf("body closed %d times, want once", n)
	}
}

// Whatever ends a call, its body is closed.
func TestBodyIsClosedOnError(t *testing.T) {
	for name, tc := range map[string]struct{ listed, copies, routed bool }{
		"refused": {true, false, false}, "none": {}, "none, with copies": {copies: true},
		"a route that is not permitted": {true, false, true}, "such a route, with copies": {true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRealm()
			if tc.listed {
				r.set(at("a", refusing(t)))
			}
			body := &closeCounter{Reader: strings.NewReader(bodyText)}
			req := newRequest(t, "POST", "service://identity/", "")
			req.Body = body
			if tc.routed {
				req.Header.Set(smartclient.RouteHeader, "identity=b")
			}
			if tc.copies {
				req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(bodyText)), nil }
			}
			if _, err := newClient(t, options(r)).Do(req); err == nil {
				t.Fatal("no error")
			}
			if body.closed.Load() == 0 {
				t.Error("body is open")
			}
		})
	}
}

// A caller's body that fails is the caller's trouble, not the instance's.
func TestBrokenRequestBody(t *testing.T) {
	base, _ := serve(t, echo)
	other, otherSeen := serve(t, echo)
	c := newClient(t, options(newRealm(in("here", at("a", base)), at("b", other))))
	broken := errors.New("disk on fire")
	for n := range 5 {
		req := newRequest(t, "PUT", "service://identity/", "")
		req.Body = io.NopCloser(io.MultiReader(strings.NewReader("x"), failing{broken}))
		if n%2 == 1 { // as one that can be had again
			req.ContentLength = 9
			req.GetBody = func() (io.ReadCloser, error) { return nil, broken }
		}
		if _, err := c.Do(req); !errors.Is(err, broken) || otherSeen.Load() != 0 {
			t.Errorf("got %v, want the body's error and no repetition", err)
		}
	}
	if n := smartclient.Fails(c.Transport(), "identity"); n != 0 {
		t.Errorf("%d failures count against the instance", n)
	}
}

// An answer that was given up leaves nothing behind.
func TestGivenUpAnswerIsNotInFlight(t *testing.T) {
	bad, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "busy", http.StatusServiceUnavailable) })
	good, _ := serve(t, echo)
	c := newClient(t, options(newRealm(in("here", at("bad", bad)), at("good", good))))
	warm(t, c)
	if n := smartclient.InFlight(c.Transport(), "identity"); n != 0 {
		t.Errorf("%d in flight", n)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type closeCounter struct {
	io.Reader
	closed atomic.Int64
}

func (c *closeCounter) Close() error {
	c.closed.Add(1)
	return nil
}
