package h1_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fairlead.dev/smartclient/internal/h1"
)

func TestMain(m *testing.M) {
	if os.Getenv(served) != "" {
		serve()
	}
	goleak.VerifyTestMain(m)
}

// A script is a peer that answers each request with the next of its texts, and
// closes the connection when it has no more. It counts its connections.
type script struct {
	texts []string
	conns atomic.Int64
	next  atomic.Int64
}

func (s *script) dial(context.Context, string, string) (net.Conn, error) {
	s.conns.Add(1)
	near, far := net.Pipe()
	go s.serve(far)
	return near, nil
}

// serve reads whatever comes as a request; those of these tests fit one read of
// the pipe.
func (s *script) serve(c net.Conn) {
	defer c.Close()
	request := make([]byte, 64<<10)
	for {
		if _, err := c.Read(request); err != nil {
			return
		}
		n := int(s.next.Add(1)) - 1
		if n >= len(s.texts) {
			return
		}
		if _, err := io.WriteString(c, s.texts[n]); err != nil {
			return
		}
		if n == len(s.texts)-1 {
			return
		}
	}
}

func newPool(t testing.TB, s *script) *h1.Pool {
	p := &h1.Pool{Dial: s.dial, IdleTimeout: 4 * time.Second, MostIdle: 2}
	t.Cleanup(p.CloseIdleConnections)
	return p
}

func newRequest(t testing.TB, method string, body []byte) *http.Request {
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, "http://10.0.0.1:80/users/1", r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// read reads an answer to its end, and closes it.
func read(t testing.TB, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read body after %q: %v", text, err)
	}
	_ = resp.Body.Close()
	return string(text)
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// serveTCP starts a peer on a real socket; act has each connection to itself.
func serveTCP(t *testing.T, act func(net.Conn)) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { defer c.Close(); act(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return l.Addr().String()
}

func realPool(t *testing.T) *h1.Pool {
	p := &h1.Pool{Dial: new(net.Dialer).DialContext, IdleTimeout: 4 * time.Second, MostIdle: 2}
	t.Cleanup(p.CloseIdleConnections)
	return p
}
