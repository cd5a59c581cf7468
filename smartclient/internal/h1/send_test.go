package h1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/smartclient/internal/h1"
)

// pause lets virtual time pass.
func pause(d time.Duration) { <-time.After(d) }

func TestAConnectionServesOneRequestAfterTheOther(t *testing.T) {
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
	for name, tc := range map[string]struct {
		text  string
		conns int64
	}{
		"length": {ok, 1}, "chunks": {chunked, 1}, "nothing": {"HTTP/1.1 204 No Content\r\n\r\n", 1},
		"close":               {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 3},
		"1.0":                 {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 3},
		"more than asked for": {ok + ok, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{texts: []string{tc.text, tc.text, tc.text, ""}}
			p := newPool(t, s)
			for range 3 {
				resp, err := p.Send(newRequest(t, "GET", nil), new(h1.Course))
				read(t, resp, err)
			}
			if n := s.conns.Load(); n != tc.conns {
				t.Errorf("%d connections, want %d", n, tc.conns)
			}
		})
	}
}

// An answer that nobody reads to its end costs its connection, not the time to
// read it.
func TestAnAnswerGivenUpClosesItsConnection(t *testing.T) {
	gone := make(chan error, 1)
	addr := serveTCP(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nfirst")
		_, err := io.Copy(io.Discard, c)
		gone <- err
	})
	resp, err := realPool(t).Send(at(t, addr, context.Background()), new(h1.Course))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	<-gone
	if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("read after close: %v", err)
	}
}

func at(t *testing.T, addr string, ctx context.Context) *http.Request {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// A body may be closed by another goroutine than the one that waits for it.
func TestCloseEndsAWaitingRead(t *testing.T) {
	addr := serveTCP(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nf")
		_, _ = io.Copy(io.Discard, c)
	})
	resp, err := realPool(t).Send(at(t, addr, context.Background()), new(h1.Course))
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(resp.Body, first); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := resp.Body.Read(make([]byte, 9))
		ended <- err
	}()
	_ = resp.Body.Close()
	if err := <-ended; !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("got %v", err)
	}
}

// The context ends an exchange wherever it is, with its cause.
func TestTheContextEndsAnExchange(t *testing.T) {
	why := errors.New("enough")
	for name, says := range map[string]string{
		"before the answer": "", "in the header": "HTTP/1.1 200 OK\r\nConte", "in the body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nf",
	} {
		t.Run(name, func(t *testing.T) {
			reached, gone := make(chan struct{}), make(chan struct{})
			addr := serveTCP(t, func(c net.Conn) {
				_, _ = http.ReadRequest(bufio.NewReader(c))
				_, _ = io.WriteString(c, says)
				close(reached)
				_, _ = io.Copy(io.Discard, c)
				close(gone)
			})
			ctx, cancel := context.WithCancelCause(context.Background())
			go func() { <-reached; cancel(why) }()
			resp, err := realPool(t).Send(at(t, addr, ctx), new(h1.Course))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
			}
			if !errors.Is(err, why) {
				t.Errorf("got %v, want %v", err, why)
			}
			<-gone
		})
	}
}

// http.Client's Timeout comes by way of Request.Cancel.
func TestTheClientsTimeout(t *testing.T) {
	addr := serveTCP(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for range 2 {
			_, _ = http.ReadRequest(in)
			_, _ = io.WriteString(c, ok)
		}
		_, _ = io.Copy(io.Discard, c)
	})
	var course h1.Course
	p := realPool(t)
	client := &http.Client{Timeout: 200 * time.Millisecond, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		course = h1.Course{}
		return p.Send(r, &course)
	})}
	for n := range 2 {
		resp, err := client.Get("http://" + addr)
		if read(t, resp, err); course.Kept != (n > 0) {
			t.Errorf("%d: %+v, want the connection kept", n, course)
		}
	}
	_, err := client.Get("http://" + addr)
	if timeout, is := err.(interface{ Timeout() bool }); !is || !timeout.Timeout() || !course.Kept {
		t.Errorf("got %v", err)
	}
}

// Request.Cancel ends an exchange without a context's help.
func TestACancelledRequest(t *testing.T) {
	req := at(t, serveTCP(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), context.Background())
	cancel := make(chan struct{})
	//lint:ignore SA1019 as old programs do
	req.Cancel = cancel
	time.AfterFunc(time.Millisecond, func() { close(cancel) })
	if _, err := realPool(t).Send(req, new(h1.Course)); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnEndedContextDialsNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var course h1.Course
	_, err := realPool(t).Send(at(t, serveTCP(t, func(net.Conn) {}), ctx), &course)
	if !errors.Is(err, context.Canceled) && (err == nil || !strings.Contains(err.Error(), "canceled")) || course.Sent || course.Conns != 0 {
		t.Errorf("got %v and %+v", err, course)
	}
}

// A kept connection that its peer closed, or wrote to unasked, is found out
// before anything is sent on it.
func TestADeadConnectionIsNotUsed(t *testing.T) {
	for name, afterwards := range map[string]string{"closed": "", "unasked": "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			served := make(chan struct{}, 2)
			addr := serveTCP(t, func(c net.Conn) {
				_, _ = http.ReadRequest(bufio.NewReader(c))
				_, _ = io.WriteString(c, ok)
				_, _ = io.WriteString(c, afterwards)
				_ = c.(*net.TCPConn).CloseWrite()
				served <- struct{}{}
				_, _ = io.Copy(io.Discard, c)
			})
			p := realPool(t)
			for range 2 {
				var course h1.Course
				req := at(t, addr, context.Background())
				req.Method = "POST"
				resp, err := p.Send(req, &course)
				read(t, resp, err)
				if <-served; course.Conns != 1 || course.Kept {
					t.Errorf("%+v, want a new connection", course)
				}
			}
		})
	}
}

// What net/http would repeat by itself on a kept connection that dies with a
// request on it is repeated here, once.
func TestADyingConnection(t *testing.T) {
	for name, tc := range map[string]struct {
		method, key, body string
		again             bool
	}{
		"GET": {"GET", "", "", true}, "HEAD": {"HEAD", "", "", true}, "OPTIONS": {"OPTIONS", "", "", true},
		"PUT": {"PUT", "", "", false}, "DELETE": {"DELETE", "", "", false}, "POST": {"POST", "", "", false},
		"POST with a key": {"POST", "Idempotency-Key", "", true}, "POST with an X-key": {"POST", "X-Idempotency-Key", "", true},
		"POST with a key and a body": {"POST", "Idempotency-Key", "x", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &dying{}
			p := &h1.Pool{Dial: s.dial, IdleTimeout: time.Hour, MostIdle: 2}
			defer p.CloseIdleConnections()
			resp, err := p.Send(newRequest(t, "GET", nil), new(h1.Course))
			read(t, resp, err)
			var course h1.Course
			req := newRequest(t, tc.method, nil)
			if tc.body != "" {
				req = newRequest(t, tc.method, []byte(tc.body))
			}
			if tc.key != "" {
				req.Header.Set(tc.key, "1")
			}
			resp, err = p.Send(req, &course)
			if (err == nil) != tc.again || !course.Sent {
				t.Fatalf("got %v, %+v", err, course)
			}
			if want := map[bool]int{false: 1, true: 2}[tc.again]; course.Conns != want || course.Kept == tc.again {
				t.Errorf("%+v, want %d connections", course, want)
			}
			if err == nil {
				read(t, resp, nil)
			}
		})
	}
}

// dying closes the first connection when its second request is there.
type dying struct{ conns atomic.Int64 }

func (d *dying) dial(context.Context, string, string) (net.Conn, error) {
	first := d.conns.Add(1) == 1
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		request := make([]byte, 4<<10)
		for n := 0; ; n++ {
			if _, err := far.Read(request); err != nil || first && n == 1 {
				return
			}
			if _, err := io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
				return
			}
		}
	}()
	return near, nil
}

// A server that reads no more of a request may say why and close.
func TestAnAnswerBeforeTheRequestIsRead(t *testing.T) {
	addr := serveTCP(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	resp, err := realPool(t).Send(at(t, addr, context.Background()), new(h1.Course))
	if text := read(t, resp, err); text != "busy" || resp.StatusCode != 503 {
		t.Errorf("got %d %q", resp.StatusCode, text)
	}
}

func TestAnEndlessHeaderIsGivenUp(t *testing.T) {
	line := strings.Repeat("x", 1<<16)
	s := &script{texts: []string{"HTTP/1.1 200 OK\r\nA: " + strings.Repeat(line, 200) + "\r\n\r\n"}}
	if _, err := newPool(t, s).Send(newRequest(t, "GET", nil), new(h1.Course)); err == nil || !strings.Contains(err.Error(), "10 MiB") {
		t.Errorf("got %v", err)
	}
	endless := &script{texts: []string{strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 1<<19)}}
	if _, err := newPool(t, endless).Send(newRequest(t, "GET", nil), new(h1.Course)); err == nil || !strings.Contains(err.Error(), "10 MiB") {
		t.Errorf("endless interim answers: got %v", err)
	}
}

func TestInterimAnswersArePassedOn(t *testing.T) {
	text := "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok
	var seen []string
	course := h1.Course{Interim: func(status int, h textproto.MIMEHeader) error {
		seen = append(seen, fmt.Sprint(status, h.Get("Link")))
		return nil
	}}
	resp, err := newPool(t, &script{texts: []string{text, ""}}).Send(newRequest(t, "GET", nil), &course)
	if read(t, resp, err); fmt.Sprint(seen) != "[103</a> 102]" {
		t.Errorf("seen %v", seen)
	}
	stop := errors.New("no more")
	course = h1.Course{Interim: func(int, textproto.MIMEHeader) error { return stop }}
	if _, err := newPool(t, &script{texts: []string{text}}).Send(newRequest(t, "GET", nil), &course); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestASwitchNobodyAskedForFails(t *testing.T) {
	s := &script{texts: []string{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"}}
	if _, err := newPool(t, s).Send(newRequest(t, "GET", nil), new(h1.Course)); err == nil || !strings.Contains(err.Error(), "switched") {
		t.Errorf("got %v", err)
	}
}

// Connections wait for a while, and only so many.
func TestConnectionsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		texts := make([]string, 20)
		for i := range texts {
			texts[i] = ok
		}
		s := &script{texts: texts}
		p := newPool(t, s)
		send := func(n int) {
			var open []*http.Response
			for range n {
				resp, err := p.Send(newRequest(t, "GET", nil), new(h1.Course))
				if err != nil {
					t.Fatal(err)
				}
				open = append(open, resp)
			}
			for _, resp := range open {
				read(t, resp, nil)
			}
		}
		check := func(what string, want int64) {
			t.Helper()
			if n := s.conns.Load(); n != want {
				t.Errorf("%s: %d connections so far, want %d", what, n, want)
			}
		}
		send(3)
		check("three at once", 3)
		send(3)
		check("three again, of which two had waited", 4)
		pause(3 * time.Second)
		send(1)
		check("the latest is used", 4)
		pause(3 * time.Second)
		send(2)
		check("the other has waited too long", 5)
		pause(5 * time.Second)
		send(1)
		check("all have", 6)
		p.CloseIdleConnections()
		send(1)
		check("closed", 7)
		pause(time.Minute)
	})
}

// A body that fails is not the connection's fault, and its error can be told.
func TestABodyThatFails(t *testing.T) {
	disk := errors.New("disk on fire")
	for name, body := range map[string]io.Reader{"at once": failing{disk}, "later": io.MultiReader(strings.NewReader("x"), failing{disk})} {
		req := at(t, serveTCP(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), context.Background())
		req.Method, req.Body, req.ContentLength = "PUT", io.NopCloser(body), 9
		req.GetBody = func() (io.ReadCloser, error) { return nil, disk }
		_, err := realPool(t).Send(req, new(h1.Course))
		if own := new(h1.BodyError); !errors.As(err, &own) || !errors.Is(err, disk) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A connection that takes nothing proves that nothing was sent.
func TestAConnectionThatTakesNothing(t *testing.T) {
	p := &h1.Pool{Dial: func(context.Context, string, string) (net.Conn, error) {
		near, _ := net.Pipe()
		return mute{near}, nil
	}, MostIdle: 1}
	for _, body := range [][]byte{nil, []byte("body")} {
		var course h1.Course
		if _, err := p.Send(newRequest(t, "POST", body), &course); err == nil || course.Sent || course.Conns != 1 {
			t.Errorf("got %v, %+v", err, course)
		}
	}
}

type mute struct{ net.Conn }

func (mute) Write([]byte) (int, error) { return 0, net.ErrClosed }

// A short body leaves with its header, and the connection serves on.
func TestABodyAtHand(t *testing.T) {
	addr := serveTCP(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			n, _ := io.Copy(io.Discard, req.Body)
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%5d", n)
		}
	})
	p := realPool(t)
	for i, size := range []int{1, 4 << 10, 16 << 10} {
		req := newRequest(t, "POST", make([]byte, size))
		req.URL.Host = addr
		var course h1.Course
		resp, err := p.Send(req, &course)
		if got := strings.TrimSpace(read(t, resp, err)); got != fmt.Sprint(size) || course.Kept != (i > 0) {
			t.Errorf("%d bytes: got %s, %+v", size, got, course)
		}
	}
}

func TestWhatIsCarried(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*http.Request)
		want   bool
	}{
		"as it is":        {func(*http.Request) {}, true},
		"https":           {func(r *http.Request) { r.URL.Scheme = "https" }, false},
		"CONNECT":         {func(r *http.Request) { r.Method = "CONNECT" }, false},
		"a made-up verb":  {func(r *http.Request) { r.Method = "PURGE" }, false},
		"no method":       {func(r *http.Request) { r.Method = "" }, true},
		"no header":       {func(r *http.Request) { r.Header = nil }, false},
		"upgrade":         {func(r *http.Request) { r.Header.Set("Upgrade", "websocket") }, false},
		"expect":          {func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, false},
		"close":           {func(r *http.Request) { r.Close = true }, false},
		"bad name":        {func(r *http.Request) { r.Header["a b"] = []string{"x"} }, false},
		"bad value":       {func(r *http.Request) { r.Header["A"] = []string{"x\r\nB: y"} }, false},
		"trailer":         {func(r *http.Request) { r.Trailer = http.Header{"A": nil} }, false},
		"short body":      {func(r *http.Request) { *r = *newRequest(t, "POST", make([]byte, 16<<10)) }, true},
		"long body":       {func(r *http.Request) { *r = *newRequest(t, "POST", make([]byte, 16<<10+1)) }, false},
		"body seen once":  {func(r *http.Request) { *r = *newRequest(t, "POST", []byte("x")); r.GetBody = nil }, false},
		"unknown length":  {func(r *http.Request) { *r = *newRequest(t, "POST", []byte("x")); r.ContentLength = -1 }, false},
		"length but none": {func(r *http.Request) { r.Body = http.NoBody }, true},
	} {
		t.Run(name, func(t *testing.T) {
			req := newRequest(t, "GET", nil)
			tc.change(req)
			if got := h1.Carries(req); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
