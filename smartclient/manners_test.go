package smartclient_test

import (
	"bufio"
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
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

// one returns a client of a service with one instance.
func one(t *testing.T, h http.HandlerFunc) *smartclient.Client {
	t.Helper()
	base, _ := serve(t, h)
	return newClient(t, options(newRealm(at("a", base))))
}

func TestMethods(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.Host, r.URL.RequestURI(), r.Header.Get("Content-Type"), body)
	})
	const url = "service://identity/users/1?x=1%2F2"
	for name, tc := range map[string]struct {
		call func() (*http.Response, error)
		want string
	}{
		"Get":    {func() (*http.Response, error) { return c.Get(url) }, "GET identity /users/1?x=1%2F2  "},
		"Head":   {func() (*http.Response, error) { return c.Head(url) }, ""},
		"Delete": {func() (*http.Response, error) { return c.Delete(url) }, "DELETE identity /users/1?x=1%2F2  "},
		"Post": {func() (*http.Response, error) { return c.Post(url, "text/plain", strings.NewReader("p")) },
			"POST identity /users/1?x=1%2F2 text/plain p"},
		"Put": {func() (*http.Response, error) { return c.Put(url, "text/plain", strings.NewReader("p")) },
			"PUT identity /users/1?x=1%2F2 text/plain p"},
		"PostForm": {func() (*http.Response, error) { return c.PostForm(url, map[string][]string{"a": {"b"}}) },
			"POST identity /users/1?x=1%2F2 application/x-www-form-urlencoded a=b"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := tc.call()
			if err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, resp); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if resp.Request.URL.String() != url {
				t.Errorf("the answer's request is for %s", resp.Request.URL)
			}
		})
	}
}

func TestHostHeader(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
	for given, want := range map[string]string{"": "identity", "www.example.com": "www.example.com"} {
		req := newRequest(t, "GET", "service://identity/", "")
		req.Host = given
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, resp); got != want {
			t.Errorf("Host %q: got %q, want %q", given, got, want)
		}
	}
}

func TestRedirects(t *testing.T) {
	for name, location := range map[string]func(*http.Request) string{
		"relative":       func(*http.Request) string { return "/end?x=1" },
		"to the name":    func(r *http.Request) string { return "http://" + r.Host + "/end?x=1" },
		"to a service":   func(r *http.Request) string { return "service://" + r.Host + "/end?x=1" },
		"to the address": func(r *http.Request) string { return "http://" + r.Header.Get("Addr") + "/end?x=1" },
	} {
		t.Run(name, func(t *testing.T) {
			base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/start" {
					w.Header().Set("Location", location(r))
					w.WriteHeader(http.StatusTemporaryRedirect)
					return
				}
				body, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RequestURI(), body)
			})
			o := options(newRealm(at("a", base)))
			c := newClient(t, o)
			t.Cleanup(http.DefaultClient.CloseIdleConnections)
			req := newRequest(t, "PUT", "service://identity/start", bodyText)
			req.Header.Set("Addr", strings.TrimPrefix(base, "http://"))
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, resp); got != "PUT /end?x=1 hello" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A proxy's caller chose the Host; its Location headers are not touched.
func TestLocationOfOthersIsKept(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://identity/end")
		w.WriteHeader(http.StatusFound)
	})
	req := newRequest(t, "GET", "service://identity/", "")
	req.Host = "www.example.com"
	tr := newClient(t, options(newRealm(at("a", base)))).Transport()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Location"); got != "http://identity/end" {
		t.Errorf("got %q", got)
	}
}

func TestCookies(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("session"); err == nil {
			_, _ = io.WriteString(w, cookie.Value)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s1"})
	})
	jar, _ := cookiejar.New(nil)
	c.HTTPClient().Jar = smartclient.Jar(jar)
	for _, want := range []string{"", "s1"} {
		resp, err := c.Get("service://identity/")
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, resp); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestBasicAuthentication(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		_, _ = io.WriteString(w, user+":"+password)
	})
	resp, err := c.Get("service://anna:secret@identity/")
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got != "anna:secret" {
		t.Errorf("got %q", got)
	}
}

func TestTrailers(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "Sum")
		_, _ = w.Write(body)
		w.Header().Set("Sum", r.Trailer.Get("Sum"))
	})
	req := newRequest(t, "POST", "service://identity/", "")
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(bodyText)), -1
	req.Trailer = http.Header{"Sum": {"42"}}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got != bodyText || resp.Trailer.Get("Sum") != "42" {
		t.Errorf("got %q, trailer %v", got, resp.Trailer)
	}
}

// Upload and download run at the same time, byte by byte.
func TestStreamsBothWays(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
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
	})
	read, write := io.Pipe()
	req, _ := http.NewRequestWithContext(t.Context(), "POST", "service://identity/", read)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	down := bufio.NewReader(resp.Body)
	for _, letter := range "abc" {
		_, _ = io.WriteString(write, string(letter))
		if got, err := down.ReadByte(); err != nil || string(got) != strings.ToUpper(string(letter)) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	_ = write.Close()
	if _, err := down.ReadByte(); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
}

func TestLargeUpload(t *testing.T) {
	const size = 32 << 20
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	resp, err := c.Put("service://identity/", "", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got != fmt.Sprint(size) {
		t.Errorf("got %s", got)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestExpectContinue(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusExpectationFailed) })
	body := &closeCounter{Reader: failing{errors.New("must not be read")}}
	req := newRequest(t, "POST", "service://identity/", "")
	req.Body, req.ContentLength = body, 5
	req.Header.Set("Expect", "100-continue")
	resp, err := c.Do(req)
	if err != nil || resp.StatusCode != http.StatusExpectationFailed {
		t.Fatalf("got %v, %v", resp, err)
	}
	resp.Body.Close()
}

// The body of a 101 answer is written too: a reverse proxy passes WebSockets
// that way.
func TestUpgrade(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(conn, line)
	})
	req := newRequest(t, "GET", "service://identity/", "")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	both, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("the body is a %T", resp.Body)
	}
	_, _ = io.WriteString(both, "hi\n")
	if got := readAll(t, resp); got != "hi\n" {
		t.Errorf("got %q", got)
	}
}

func TestHTTPSAndHTTP2(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint(http2), func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, r.Proto, r.Host)
			}))
			s.EnableHTTP2 = http2
			s.StartTLS()
			t.Cleanup(s.Close)
			c := newClient(t, options(newRealm(at("a", s.URL))))
			base := smartclient.BaseOf(c.Transport())
			base.TLSClientConfig = &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
			resp, err := c.Get("service://identity/")
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{false: "HTTP/1.1identity", true: "HTTP/2.0identity"}[http2]
			if got := readAll(t, resp); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// A TLS handshake that fails sent nothing of the request: POST goes on.
func TestHandshakeFailureIsUnsent(t *testing.T) {
	plain, plainSeen := serve(t, echo)
	good, _ := serve(t, echo)
	bad := at("bad", plain)
	bad.Scheme = "https"
	c := newClient(t, options(newRealm(in("here", bad), at("good", good))))
	resp, err := c.Post("service://identity/", "", strings.NewReader(bodyText))
	if err != nil || readAll(t, resp) != bodyText || plainSeen.Load() != 0 {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestOtherSchemesPassThrough(t *testing.T) {
	base, _ := serve(t, echo)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	c := newClient(t, smartclient.Options{})
	resp, err := c.Post(base, "", strings.NewReader(bodyText))
	if err != nil || readAll(t, resp) != bodyText {
		t.Errorf("got %v, %v", resp, err)
	}
	if _, err := c.Get("gopher://example.com/"); err == nil || !strings.Contains(err.Error(), "unsupported protocol scheme") {
		t.Errorf("got %v", err)
	}
}

func TestBadServiceURLs(t *testing.T) {
	c := newClient(t, options(newRealm()))
	for _, raw := range []string{
		"service:///users", "service:identity", "service://Identity/", "service://identity:80/", "service://a.b/",
		"service://-a/", "service://[::1]/", "service://" + strings.Repeat("a", 64) + "/", "service://a%20b/",
	} {
		_, err := c.Get(raw)
		if err == nil || strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("%s: got %v, want an error of one line", raw, err)
		}
	}
	if _, err := newClient(t, smartclient.Options{}).Get("service://identity/"); err == nil || !strings.Contains(err.Error(), "Options.Resolver") {
		t.Errorf("got %v, want an error that names Options.Resolver", err)
	}
}

func TestErrorsOfTheRegistry(t *testing.T) {
	disabled := at("a", "http://127.0.0.1:1")
	disabled.Enabled = false
	for name, tc := range map[string]struct {
		resolver registry.Resolver
		want     error
	}{
		"no such service": {&never{registry.ErrNoSuchService}, registry.ErrNoSuchService},
		"never seen":      {&never{registry.ErrNeverSeen}, registry.ErrNeverSeen},
		"none enabled":    {newRealm(disabled), registry.ErrNoneEnabled},
		"none left":       {newRealm(), registry.ErrNoSuchService},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, options(tc.resolver)).Get("service://identity/x")
			var e *smartclient.Error
			if !errors.Is(err, tc.want) || !errors.As(err, &e) || e.Processed || e.Method != "GET" {
				t.Errorf("got %v", err)
			}
			want := `Get "service://identity/x": service identity in realm test: ` + tc.want.Error()
			if err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
}

type never struct{ err error }

func (n never) Resolve(context.Context, string) (*registry.Service, error) { return nil, n.err }

func TestErrorMessage(t *testing.T) {
	base := refusing(t)
	o := options(newRealm(at("a-1", base)))
	o.MaxAttempts = 1
	_, err := newClient(t, o).Get("service://identity/x")
	addr := strings.TrimPrefix(base, "http://")
	want := fmt.Sprintf(`Get "service://identity/x": service identity in realm test; attempt 1 at a-1 (%s): connect: connection refused`, addr)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// Each fact is said once, however often net/http and the layers between say it.
func TestErrorsSayEachFactOnce(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	at := func(id string, err error) smartclient.Attempt {
		return smartclient.Attempt{Instance: id, Addr: id + ":80", Err: err}
	}
	overloaded := smartclient.Attempt{Instance: "a", Addr: "a:80", Status: 503}
	for want, e := range map[string]smartclient.Error{
		"service identity in realm test: no such service":                                          {Err: registry.ErrNoSuchService},
		"service identity in realm test; attempt 1 at a (a:80): connect: connection refused":       {Attempts: []smartclient.Attempt{at("a", refused)}},
		"service identity in realm test; attempts 1 to 3 at a (a:80): connect: connection refused": {Attempts: []smartclient.Attempt{at("a", refused), at("a", refused), at("a", refused)}},
		"service identity in realm test; attempt 1 at a (a:80): status 503; attempts 2 to 3 at b (b:80): EOF; it may have been processed": {
			Attempts: []smartclient.Attempt{overloaded, at("b", io.EOF), at("b", io.EOF)}, Processed: true},
		"service identity in realm test; attempt 1 at a (a:80): context deadline exceeded": {
			Attempts: []smartclient.Attempt{at("a", context.DeadlineExceeded)}, Err: context.DeadlineExceeded},
		"service identity in realm test; attempt 1 at a (a:80): status 503; retry budget is spent": {
			Attempts: []smartclient.Attempt{overloaded}, Err: smartclient.ErrBudgetSpent},
		"service identity in realm test; attempt 1 at a (a:80): dial: i/o timeout": {
			Attempts: []smartclient.Attempt{at("a", &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded})}},
		"service identity in realm test; attempt 1 at a (a:80): lookup on 10.0.0.53:53: no such host": {
			Attempts: []smartclient.Attempt{at("a", &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "a", Server: "10.0.0.53:53", Err: "no such host"}})}},
		"service identity in realm test; attempt 1 at sidecar (sidecar:80): unreachable: no instance could be reached": {
			Attempts: []smartclient.Attempt{at("sidecar", &smartclient.SidecarError{Code: "unreachable", Detail: "no instance could be reached"})}},
	} {
		e.Service, e.Realm = "identity", "test"
		if got := e.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := (&smartclient.Error{Service: "identity", Err: registry.ErrNoSuchService}).Error(); got != "service identity: no such service" {
		t.Errorf("without a realm: %s", got)
	}
}

func TestCancelledContexts(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		base, seen := serve(t, echo)
		req, _ := http.NewRequestWithContext(ctx, "GET", "service://identity/", nil)
		_, err := newClient(t, options(newRealm(at("a", base)))).Do(req)
		if !errors.Is(err, context.Canceled) || seen.Load() != 0 {
			t.Errorf("got %v, seen %d", err, seen.Load())
		}
	})
	t.Run("while waiting for headers", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan struct{})
		base, seen := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
			close(gone)
		})
		other, otherSeen := serve(t, echo)
		req, _ := http.NewRequestWithContext(ctx, "GET", "service://identity/", nil)
		_, err := newClient(t, options(newRealm(in("here", at("a", base)), at("b", other)))).Do(req)
		var e *smartclient.Error
		if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || !e.Processed {
			t.Errorf("got %v", err)
		}
		<-gone
		if seen.Load() != 1 || otherSeen.Load() != 0 {
			t.Errorf("seen %d and %d", seen.Load(), otherSeen.Load())
		}
	})
	t.Run("within the body", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan struct{})
		c := one(t, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(gone)
		})
		req, _ := http.NewRequestWithContext(ctx, "GET", "service://identity/", nil)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		resp.Body.Close()
		<-gone
	})
	t.Run("by the client's timeout", func(t *testing.T) {
		c := one(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		c.HTTPClient().Timeout = 50 * time.Millisecond
		_, err := c.Get("service://identity/")
		var u *url.Error
		if !errors.As(err, &u) || !u.Timeout() {
			t.Errorf("got %v", err)
		}
	})
}

// A body closed half-read ends the request at the server and frees the
// instance.
func TestHalfReadBodyIsGivenUp(t *testing.T) {
	gone := make(chan struct{})
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	resp, err := c.Get("service://identity/")
	if err != nil {
		t.Fatal(err)
	}
	if n := smartclient.InFlight(c.Transport(), "identity"); n != 1 {
		t.Errorf("%d in flight, want 1", n)
	}
	_, _ = io.ReadFull(resp.Body, make([]byte, 5))
	resp.Body.Close()
	resp.Body.Close()
	<-gone
	if n := smartclient.InFlight(c.Transport(), "identity"); n != 0 {
		t.Errorf("%d in flight, want none", n)
	}
}
