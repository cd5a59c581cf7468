package planetest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Trick is bytes by which a caller tries to have the proxy and an instance
// read different requests, or to hold or fill the proxy.
type Trick struct {
	Name string
	// Bytes are what is sent; the connection stays open after them.
	Bytes string
}

// end is how most tricks end their header.
const end = "Host: identity.service\r\nConnection: close\r\n\r\n"

// hidden is a request that no instance must see unless the proxy saw it too.
const hidden = "GET /hidden HTTP/1.1\r\nHost: identity.service\r\nX: y\r\n\r\n"

// Tricks are those that every plane is tried with.
var Tricks = []Trick{
	{"Content-Length and Transfer-Encoding", "POST / HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n" + end + "0\r\n\r\n" + hidden},
	{"Transfer-Encoding that is not quite chunked", "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: xchunked\r\n" + end + "5c\r\n" + hidden},
	{"Transfer-Encoding in two lines", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n" + end + "0\r\n\r\n" + hidden},
	{"Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + end + "0\r\n\r\n" + hidden},
	{"two Content-Lengths that differ", "POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 58\r\n" + end + hidden},
	{"two Content-Lengths that agree", "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n" + end + "ab"},
	{"a Content-Length with a sign", "POST / HTTP/1.1\r\nContent-Length: +2\r\n" + end + "ab"},
	{"a blank before the colon", "POST / HTTP/1.1\r\nContent-Length : 58\r\n" + end + hidden},
	{"bare LF at line ends", strings.ReplaceAll("GET / HTTP/1.1\r\nX-A: b\r\n"+end, "\r\n", "\n")},
	{"bare CR in a value", "GET / HTTP/1.1\r\nX-A: b\rContent-Length: 58\r\n" + end + hidden},
	{"NUL in a value", "GET / HTTP/1.1\r\nX-A: b\x00c\r\n" + end},
	{"a folded line", "GET / HTTP/1.1\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n" + end},
	{"a chunk of no size", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + end + "zz\r\n" + hidden},
	{"a chunk too large to count", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + end + "ffffffffffffffff1\r\n" + hidden},
	{"two Hosts", "GET / HTTP/1.1\r\nHost: other.service\r\n" + end},
	{"no Host", "GET / HTTP/1.1\r\nFairlead-Service: identity\r\nConnection: close\r\n\r\n"},
	{"a blank too many in the request line", "GET  / HTTP/1.1\r\n" + end},
	{"framing named in Connection", "POST / HTTP/1.1\r\nHost: identity.service\r\nContent-Length: 2\r\nConnection: close, Content-Length, Host, Fairlead-Service\r\n\r\nab"},
	{"an upgrade to HTTP/2", "GET / HTTP/1.1\r\nHost: identity.service\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"},
	{"X-Forwarded-For made up, and named in Connection", "GET / HTTP/1.1\r\nHost: identity.service\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\n" +
		"Connection: close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, Via\r\n\r\n"},
	{"a header of 70 kB", "GET / HTTP/1.1\r\nX-A: " + strings.Repeat("a", 70<<10) + "\r\n" + end},
	{"a header of 200 lines", "GET / HTTP/1.1\r\n" + strings.Repeat("X-A: b\r\n", 200) + end},
	{"a header that never ends", "GET / HTTP/1.1\r\nHost: identity.service\r\nX-A: b"},
}

// Smuggling tries all tricks on a plane. An instance must not see what a trick
// hides, and of each the outcome must be the one written down: "forwarded",
// "closed" without an answer, or the status of the plane's refusal.
func Smuggling(t *testing.T, make Maker, outcomes map[string]string) {
	for _, trick := range Tricks {
		t.Run(trick.Name, func(t *testing.T) {
			t.Parallel()
			g := start(t, make, Ways{})
			seen := &recorder{}
			g.set(g.instance("identity", "a", seen.listen(t)))
			outcome := g.try(trick)
			if want := outcomes[trick.Name]; outcome != want {
				t.Errorf("the outcome is %q, written down is %q", outcome, want)
			}
			seen.check(t, outcome)
		})
	}
}

// try sends a trick and tells what became of it.
func (g *rig) try(trick Trick) string {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		g.t.Fatal(err)
	}
	// A refusal may come before all is sent.
	_, _ = io.WriteString(conn, trick.Bytes)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	switch {
	case err != nil && strings.Contains(err.Error(), "timeout"):
		return "held"
	case err != nil:
		return "closed"
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK && res.Header.Get("Recorded") != "" {
		return "forwarded"
	}
	return fmt.Sprint(res.StatusCode)
}

// A recorder is an instance that keeps the bytes that it was sent.
type recorder struct {
	mu    sync.Mutex
	got   []*bytes.Buffer // by connection
	conns []net.Conn
}

func (r *recorder) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.cut()
		conns.Wait()
	})
	return l.Addr().String()
}

// cut ends the connections that the proxy keeps.
func (r *recorder) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		conn.Close()
	}
}

// serve answers whatever looks like a request, until the proxy closes.
func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	kept := &bytes.Buffer{}
	r.mu.Lock()
	r.got, r.conns = append(r.got, kept), append(r.conns, conn)
	r.mu.Unlock()
	lines := bufio.NewReader(readerFunc(func(p []byte) (int, error) {
		n, err := conn.Read(p)
		r.mu.Lock()
		defer r.mu.Unlock()
		kept.Write(p[:n])
		return n, err
	}))
	for {
		req, err := http.ReadRequest(lines)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, req.Body)
		_, failed := io.WriteString(conn, "HTTP/1.1 200 OK\r\nRecorded: yes\r\nContent-Length: 2\r\n\r\nok")
		if err != nil || failed != nil {
			return
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// check looks at every request that came: it has to be one that the proxy
// wrote, and to read the same however strict one is.
func (r *recorder) check(t *testing.T, outcome string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, got := range r.got {
		for rest := got.String(); rest != ""; {
			header, after, whole := strings.Cut(rest, "\r\n\r\n")
			if !whole {
				t.Fatalf("an instance was sent half a header: %q", rest)
			}
			if outcome != "forwarded" && !isOfABody(outcome, header) {
				t.Errorf("what was refused reached an instance: %q", rest)
			}
			checkHeader(t, header)
			rest = bodyOf(header, after)
		}
	}
}

// isOfABody tells whether a refused request may have been forwarded as far as
// it was sound: until its body turned out to be none.
func isOfABody(outcome, header string) bool {
	return (outcome == "400" || outcome == "502" || outcome == "closed") && strings.Contains(strings.ToLower(header), "transfer-encoding: chunked")
}

func checkHeader(t *testing.T, header string) {
	t.Helper()
	if strings.Contains(strings.ReplaceAll(header, "\r\n", ""), "\r") || strings.Contains(strings.ReplaceAll(header, "\r\n", ""), "\n") ||
		strings.Contains(header, "\x00") || strings.Contains(header, "\r\n ") || strings.Contains(header, "\r\n\t") {
		t.Errorf("not clean: %q", header)
	}
	count := map[string]int{}
	for line := range strings.SplitSeq(header, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		count[strings.ToLower(name)]++
		if strings.Contains(value, "6.6.6.6") || strings.Contains(value, "evil") || strings.Contains(value, "h2c") {
			t.Errorf("passed on: %q", line)
		}
	}
	if count["content-length"]+count["transfer-encoding"] > 1 || count["host"] != 1 {
		t.Errorf("can be read in two ways: %q", header)
	}
	if count["via"] != 1 || count["x-forwarded-for"] != 1 || count["fairlead-service"] != 0 {
		t.Errorf("not a request of the proxy's: %q", header)
	}
}

// bodyOf returns what comes after a request's body.
func bodyOf(header, after string) string {
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(header + "\r\n\r\n" + after)))
	if err != nil {
		return after
	}
	if req.ContentLength >= 0 {
		return after[min(int(req.ContentLength), len(after)):]
	}
	_, rest, _ := strings.Cut("\r\n"+after, "\r\n0\r\n\r\n")
	return rest
}
