package smartclient_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

// A subject is an HTTP client, and the URLs by which it reaches one and the
// same server under two names.
type subject struct {
	*http.Client
	url, other string
	seen       *atomic.Int64 // requests that the server saw
	conns      *atomic.Int64 // connections that were made to it
}

// patience is how long a busy machine may take to answer.
const patience = 10 * time.Second

// both runs a test with net/http's own client and with a smart one.
func both(t *testing.T, h http.HandlerFunc, test func(*testing.T, subject)) {
	t.Helper()
	for _, name := range []string{"http.Client", "smartclient"} {
		t.Run(name, func(t *testing.T) {
			s := subject{seen: new(atomic.Int64), conns: new(atomic.Int64)}
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.seen.Add(1)
				h(w, r)
			}))
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					s.conns.Add(1)
				}
			}
			server.Start()
			t.Cleanup(server.Close)
			s.meet(t, name, server.URL)
			test(t, s)
		})
	}
}

func (s *subject) meet(t *testing.T, name, base string) {
	if name == "http.Client" {
		tr := &http.Transport{DisableCompression: true, ExpectContinueTimeout: patience}
		t.Cleanup(tr.CloseIdleConnections)
		s.Client, s.url, s.other = &http.Client{Transport: tr}, base, strings.Replace(base, "127.0.0.1", "localhost", 1)
		return
	}
	r := newRealm(at("a", base))
	other := at("a", base)
	other.Service = "other"
	r.table.Store(r.table.Load().WithService("other", 9, []registry.Instance{other}))
	smart := newClient(t, options(r))
	smartclient.BaseOf(smart.Transport()).ExpectContinueTimeout = patience
	s.Client, s.url, s.other = smart.HTTPClient(), "service://identity", "service://other"
}

func (s subject) request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func (s subject) do(t *testing.T, req *http.Request) *http.Response {
	t.Helper()
	resp, err := s.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// What http.Client's documentation promises, kept by both. The names are its
// words.
func TestPromisesOfHTTPClient(t *testing.T) {
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) { both(t, p.serve, p.test) })
	}
}

// A promise is a server and what a client is to make of it.
type promise struct {
	name  string
	serve http.HandlerFunc
	test  func(*testing.T, subject)
}

var promises = []promise{
	{"a non-2xx status code doesn't cause an error", serveStatus, func(t *testing.T, s subject) {
		for _, status := range []int{200, 204, 304, 404, 500, 501} {
			resp := s.do(t, s.request(t, "GET", fmt.Sprint("/", status), nil))
			if resp.StatusCode != status || resp.Body == nil {
				t.Errorf("got %d, body %v; want %d", resp.StatusCode, resp.Body, status)
			}
		}
	}},
	{"any returned error is a *url.Error, and the body is closed even on errors", serveStatus, func(t *testing.T, s subject) {
		body := &closeCounter{Reader: strings.NewReader("x")}
		req := s.request(t, "POST", "/200", nil)
		req.Body, req.Header = body, http.Header{"Bad\nName": {"x"}}
		_, err := s.Do(req)
		var u *url.Error
		if !errors.As(err, &u) || u.Op != "Post" || body.closed.Load() == 0 || s.seen.Load() != 0 {
			t.Errorf("got %v, body closed %d times, seen %d", err, body.closed.Load(), s.seen.Load())
		}
	}},
	{"Timeout includes reading the body, and its error says so", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, func(t *testing.T, s subject) {
		s.Timeout = 100 * time.Millisecond
		resp := s.do(t, s.request(t, "GET", "/", nil))
		_, err := io.ReadAll(resp.Body)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("got %v, want a timeout", err)
		}
	}},
	{"redirects: which methods and bodies go on", serveRedirect, func(t *testing.T, s subject) {
		for status, want := range map[int]string{301: "GET  ", 302: "GET  ", 303: "GET  ", 307: "PUT hello ", 308: "PUT hello "} {
			resp := s.do(t, s.request(t, "PUT", fmt.Sprint("/to/", status), strings.NewReader(bodyText)))
			if got := readAll(t, resp); got != want {
				t.Errorf("%d: got %q, want %q", status, got, want)
			}
			if resp.Request.URL.String() != s.url+"/end" {
				t.Errorf("%d: the answer's request is for %s", status, resp.Request.URL)
			}
		}
	}},
	{"redirects: without GetBody a 307 is the answer", serveRedirect, func(t *testing.T, s subject) {
		req := s.request(t, "PUT", "/to/307", io.LimitReader(strings.NewReader(bodyText), 99))
		if resp := s.do(t, req); resp.StatusCode != 307 {
			t.Errorf("got %d", resp.StatusCode)
		}
	}},
	{"redirects: after 10 it stops, and the answer's body is closed", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/again", http.StatusFound)
	}, func(t *testing.T, s subject) {
		resp, err := s.Do(s.request(t, "GET", "/", nil))
		if err == nil || !strings.Contains(err.Error(), "stopped after 10 redirects") || resp == nil || s.seen.Load() != 10 {
			t.Fatalf("got %v, %v after %d", resp, err, s.seen.Load())
		}
		if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
			t.Error("the body is open")
		}
	}},
	{"redirects: ErrUseLastResponse returns the answer with its body unclosed", serveRedirect, func(t *testing.T, s subject) {
		s.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp := s.do(t, s.request(t, "GET", "/to/302", nil))
		if at := resp.Header.Get("Location"); resp.StatusCode != 302 || at != "/end" || readAll(t, resp) == "" {
			t.Errorf("got %d to %q", resp.StatusCode, at)
		}
	}},
	{"redirects: sensitive headers stay with the host", func(w http.ResponseWriter, r *http.Request) {
		if to := r.Header.Get("To"); r.URL.Path == "/start" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+"|"+r.Header.Get("X-Kept"))
	}, func(t *testing.T, s subject) {
		for to, want := range map[string]string{s.url + "/end": "secret|kept", s.other + "/end": "|kept"} {
			req := s.request(t, "GET", "/start", nil)
			req.Header = http.Header{"To": {to}, "Authorization": {"secret"}, "X-Kept": {"kept"}}
			if got := readAll(t, s.do(t, req)); got != want {
				t.Errorf("to %s: got %q, want %q", to, got, want)
			}
		}
	}},
	{"Jar: cookies of one answer go with the next request, and to nobody else", func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("session"); err == nil {
			_, _ = io.WriteString(w, cookie.Value)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s1"})
	}, func(t *testing.T, s subject) {
		jar, _ := cookiejar.New(nil)
		s.Jar = smartclient.Jar(jar)
		for _, want := range []string{"", "s1"} {
			if got := readAll(t, s.do(t, s.request(t, "GET", "/", nil))); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		resp, err := s.Get(s.other)
		if err != nil || readAll(t, resp) != "" {
			t.Errorf("the other host got the cookie: %v", err)
		}
	}},
	{"a user in the URL is sent as basic authentication", func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		_, _ = io.WriteString(w, user+":"+password)
	}, func(t *testing.T, s subject) {
		req := s.request(t, "GET", "/", nil)
		req.URL.User = url.UserPassword("anna", "secret")
		if got := readAll(t, s.do(t, req)); got != "anna:secret" {
			t.Errorf("got %q", got)
		}
	}},
	{"Host overrides the Host header", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }, func(t *testing.T, s subject) {
		req := s.request(t, "GET", "/", nil)
		req.Host = "www.example.com"
		if got := readAll(t, s.do(t, req)); got != "www.example.com" {
			t.Errorf("got %q", got)
		}
	}},
	{"a RoundTripper does not modify the request", echo, func(t *testing.T, s subject) {
		req := s.request(t, "PUT", "/x?y=1", strings.NewReader(bodyText))
		req.Header.Set("X-Mine", "1")
		before, header := req.URL.String(), fmt.Sprint(req.Header)
		readAll(t, s.do(t, req))
		if req.URL.String() != before || fmt.Sprint(req.Header) != header || req.Host != req.URL.Host || req.ContentLength != 5 {
			t.Errorf("now %s, %v, %q", req.URL, req.Header, req.Host)
		}
	}},
	{"ContentLength: as said, unknown in chunks, none without a body", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, r.ContentLength, r.TransferEncoding, len(body))
	}, func(t *testing.T, s subject) {
		for want, body := range map[string]io.Reader{"5 [] 5": strings.NewReader(bodyText), "-1 [chunked] 5": io.LimitReader(strings.NewReader(bodyText), 9), "0 [] 0": nil} {
			if got := readAll(t, s.do(t, s.request(t, "POST", "/", body))); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}},
	{"a large upload arrives whole", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}, func(t *testing.T, s subject) {
		const size = 16 << 20
		if got := readAll(t, s.do(t, s.request(t, "PUT", "/", io.LimitReader(zeros{}, size)))); got != fmt.Sprint(size) {
			t.Errorf("got %s", got)
		}
	}},
	{"Trailer: both ways, after the body", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "Sum")
		_, _ = w.Write(body)
		w.Header().Set("Sum", r.Trailer.Get("Sum"))
	}, func(t *testing.T, s subject) {
		req := s.request(t, "POST", "/", io.LimitReader(strings.NewReader(bodyText), 99))
		req.Trailer = http.Header{"Sum": nil}
		req.Body = &closeCounter{Reader: io.MultiReader(req.Body, whenRead(func() { req.Trailer.Set("Sum", "42") }))}
		resp := s.do(t, req)
		if got := readAll(t, resp); got != bodyText || resp.Trailer.Get("Sum") != "42" {
			t.Errorf("got %q, %v", got, resp.Trailer)
		}
	}},
	{"Expect: the body waits for 100 Continue, and stays where it is if that never comes", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		echo(w, r)
	}, func(t *testing.T, s subject) {
		for path, read := range map[string]bool{"/yes": true, "/no": false} {
			var was atomic.Bool
			req := s.request(t, "POST", path, nil)
			req.Body = io.NopCloser(io.MultiReader(whenRead(func() { was.Store(true) }), strings.NewReader(bodyText)))
			req.ContentLength = 5
			req.Header.Set("Expect", "100-continue")
			resp := s.do(t, req)
			if got := readAll(t, resp); was.Load() != read || read != (got == bodyText) {
				t.Errorf("%s: got %d %q, body read %v", path, resp.StatusCode, got, was.Load())
			}
		}
	}},
	{"a body streams both ways at the same time", streamUpper, func(t *testing.T, s subject) {
		read, write := io.Pipe()
		resp := s.do(t, s.request(t, "POST", "/", read))
		for _, letter := range []string{"a", "b", "c"} {
			_, _ = io.WriteString(write, letter)
			got := make([]byte, 1)
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != strings.ToUpper(letter) {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		_ = write.Close()
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
			t.Errorf("got %q, %v", rest, err)
		}
	}},
	{"informational answers and the hooks of httptrace reach the caller", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusOK)
	}, func(t *testing.T, s subject) {
		var hints, conns, first atomic.Int64
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse:       func(code int, _ textproto.MIMEHeader) error { hints.Store(int64(code)); return nil },
			GotConn:              func(httptrace.GotConnInfo) { conns.Add(1) },
			GotFirstResponseByte: func() { first.Add(1) },
		})
		s.do(t, s.request(t, "GET", "/", nil).WithContext(ctx))
		if hints.Load() != 103 || conns.Load() != 1 || first.Load() == 0 {
			t.Errorf("got %d, %d connections, %d first bytes", hints.Load(), conns.Load(), first.Load())
		}
	}},
	{"a body read to its end and closed lets the connection be used again", echo, func(t *testing.T, s subject) {
		for range 5 {
			readAll(t, s.do(t, s.request(t, "PUT", "/", strings.NewReader(bodyText))))
		}
		if s.conns.Load() != 1 {
			t.Errorf("%d connections for 5 requests", s.conns.Load())
		}
	}},
	{"Close: the connection is closed after the answer", echo, func(t *testing.T, s subject) {
		for range 2 {
			req := s.request(t, "GET", "/", nil)
			req.Close = true
			readAll(t, s.do(t, req))
		}
		if s.conns.Load() != 2 {
			t.Errorf("%d connections for 2 requests", s.conns.Load())
		}
	}},
	{"a body closed half-read ends the request at the server", serveEndlessly, func(t *testing.T, s subject) {
		resp := s.do(t, s.request(t, "GET", "/", nil))
		if _, err := io.ReadFull(resp.Body, make([]byte, 1<<10)); err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		<-endless
	}},
	{"a cancelled context ends the request, and reading its answer", serveEndlessly, func(t *testing.T, s subject) {
		ctx, cancel := context.WithCancel(t.Context())
		resp := s.do(t, s.request(t, "GET", "/", nil).WithContext(ctx))
		cancel()
		if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		<-endless
	}},
	{"a cancelled context ends the wait for an answer, and the request's body is closed", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		reached <- struct{}{}
		<-r.Context().Done()
	}, func(t *testing.T, s subject) {
		ctx, cancel := context.WithCancel(t.Context())
		body := &closeCounter{Reader: strings.NewReader(bodyText)}
		req := s.request(t, "POST", "/", nil).WithContext(ctx)
		req.Body, req.ContentLength = body, 5
		go func() {
			<-reached
			cancel()
		}()
		if _, err := s.Do(req); !errors.Is(err, context.Canceled) || body.closed.Load() == 0 {
			t.Errorf("got %v, body closed %d times", err, body.closed.Load())
		}
	}},
}

// reached gets a value for each request that waits at the server.
var reached = make(chan struct{}, 4)

func serveStatus(w http.ResponseWriter, r *http.Request) {
	var status int
	_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
	w.WriteHeader(status)
}

// serveRedirect sends /to/STATUS to /end, which says what it got.
func serveRedirect(w http.ResponseWriter, r *http.Request) {
	var status int
	if n, _ := fmt.Sscanf(r.URL.Path, "/to/%d", &status); n == 1 {
		w.Header().Set("Location", "/end")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "over there")
		return
	}
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s", r.Method, body, r.Header.Get("Content-Type"))
}

// endless gets a value for each endless answer whose request has ended.
var endless = make(chan struct{}, 4)

func serveEndlessly(w http.ResponseWriter, r *http.Request) {
	defer func() { endless <- struct{}{} }()
	chunk := bytes.Repeat([]byte("x"), 4<<10)
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func streamUpper(w http.ResponseWriter, r *http.Request) {
	flow := http.NewResponseController(w)
	_ = flow.EnableFullDuplex()
	_ = flow.Flush()
	buffer := make([]byte, 1)
	for {
		n, err := r.Body.Read(buffer)
		_, _ = w.Write(bytes.ToUpper(buffer[:n]))
		_ = flow.Flush()
		if err != nil {
			return
		}
	}
}

// whenRead is an empty reader that calls a function when it is read.
type whenRead func()

func (f whenRead) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// HTTP/2 is taken where a server offers it, and many requests share one
// connection.
func TestPromiseOfHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	smart := newClient(t, options(newRealm(at("a", server.URL))))
	smartclient.BaseOf(smart.Transport()).TLSClientConfig = roots
	plain := &http.Transport{TLSClientConfig: roots, ForceAttemptHTTP2: true}
	t.Cleanup(plain.CloseIdleConnections)
	for base, c := range map[string]*http.Client{server.URL: {Transport: plain}, "service://identity": smart.HTTPClient()} {
		for range 3 {
			resp, err := c.Get(base)
			if err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, resp); got != "HTTP/2.0" {
				t.Errorf("%s: got %q", base, got)
			}
		}
	}
}
