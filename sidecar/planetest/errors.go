package planetest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"fairlead.dev/sidecar/problem"
)

// ownErrors: what a plane says by itself is a problem, and says so by a header.
func ownErrors(g *rig) {
	off := g.instance("off", "i0", Refusing(g.t))
	off.Enabled = false
	g.set(off, g.serve("identity", "i0", Says("identity")), g.instance("dead", "i0", Refusing(g.t)))
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		code    string
		mention string
	}{
		{"nothing", nil, 400, "service-not-named", "http_proxy"},
		{"other host", []string{"Host: www.example.com"}, 421, "host-refused", "www.example.com"},
		{"rebound name", []string{"Host: evil.example.com", named("identity")}, 421, "host-refused", "evil.example.com"},
		{"quote in a host", []string{`Host: a"b.example.com`}, 0, "", ""},
		{"bad header", []string{named("Identity!")}, 400, "invalid-service", "Fairlead-Service"},
		{"map's own entry", []string{named("*")}, 400, "invalid-service", ""},
		{"list of services", []string{named("identity, off")}, 400, "invalid-service", ""},
		{"empty header", []string{named("")}, 400, "invalid-service", "must not be empty"},
		{"header twice", []string{named("identity"), named("other")}, 400, "invalid-service", "once"},
		{"other realm", []string{"Host: a.b.service"}, 421, "realm-refused", "realm"},
		{"too many labels", []string{"Host: a.b.c.service"}, 400, "invalid-service", "host"},
		{"no such service", []string{named("nothing")}, 503, "no-such-service", "nothing"},
		{"none enabled", []string{named("off")}, 503, "none-enabled", "off"},
		{"refused", []string{named("dead")}, 503, "unreachable", "dead"},
		{"loop", []string{named("identity"), "Via: " + strings.Repeat("1.1 fairlead, ", 15) + "1.1 fairlead"}, 508, "loop", "Via"},
	} {
		res, body := g.get("/", c.headers...)
		if c.status == 0 {
			if res.StatusCode < 400 {
				g.t.Errorf("%s: got %d", c.name, res.StatusCode)
			}
			continue
		}
		g.isProblem(c.name, res, body, c.status, c.code)
		if !strings.Contains(body, c.mention) || !strings.Contains(body, `"processed":"no"`) {
			g.t.Errorf("%s: got %s", c.name, body)
		}
		if (c.status == http.StatusServiceUnavailable) != (res.Header.Get("Retry-After") != "") {
			g.t.Errorf("%s: Retry-After is %q", c.name, res.Header.Get("Retry-After"))
		}
	}
	if res := g.raw("GET / HTTP/1.0\r\n\r\n"); res == nil || res.StatusCode != 400 || res.Header.Get("Fairlead-Error") != "service-not-named" {
		g.t.Errorf("without a host came %+v", res)
	}
	for _, line := range []string{"CONNECT identity.service:443 HTTP/1.1", "GET http://www.example.com/ HTTP/1.1", "CONNECT www.example.com:443 HTTP/1.1"} {
		host, _, _ := strings.Cut(strings.TrimPrefix(strings.Fields(line)[1], "http://"), "/")
		if res := g.raw(line + "\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"); res == nil || res.StatusCode != 403 || res.Header.Get("Fairlead-Error") != "host-refused" {
			g.t.Errorf("%s got %+v", line, res)
		}
	}
}

func (g *rig) isProblem(name string, res *http.Response, body string, status int, code string) {
	g.t.Helper()
	var p problem.Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		g.t.Errorf("%s: %v in %s", name, err, body)
		return
	}
	if res.StatusCode != status || p.Status != status || p.Code() != code || res.Header.Get("Fairlead-Error") != code || res.Header.Get("Content-Type") != problem.ContentType {
		g.t.Errorf("%s: got %d %s, header %s", name, res.StatusCode, body, res.Header)
	}
}

// raw sends bytes on a connection of their own and returns the answer, whose
// body is read; nil if there is none.
func (g *rig) raw(text string) *http.Response {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, text)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res
}

// neverSeen: before the first table nothing is known, which is not the same as
// that a service does not exist.
func neverSeen(g *rig) {
	res, body := g.get("/", named("identity"))
	g.isProblem("never seen", res, body, 503, "registry-never-seen")
}

// brokenAnswers: an instance that broke off may have acted, so a POST is not
// repeated; and half an answer never passes for a whole one.
func brokenAnswers(g *rig) {
	var posts, gets atomic.Int32
	breaking := func(count *atomic.Int32) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			count.Add(1)
			panic(http.ErrAbortHandler)
		}
	}
	g.set(g.serve("posts", "a", breaking(&posts)), g.serve("posts", "b", breaking(&posts)))
	res, body := g.send(g.request(http.MethodPost, "/", strings.NewReader("x"), named("posts")))
	g.isProblem("a POST", res, body, 502, "no-answer")
	if posts.Load() != 1 || !strings.Contains(body, `"processed":"maybe"`) {
		g.t.Errorf("a POST was sent %d times: %s", posts.Load(), body)
	}
	g.set(g.serve("gets", "a", breaking(&gets)), g.serve("gets", "b", Says("b")))
	for range 6 {
		if res, body := g.get("/", named("gets")); body != "b /" {
			g.t.Errorf("a GET that can be repeated got %d %s", res.StatusCode, body)
		}
	}
	g.set(g.serve("halves", "a", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	if res, body, err := exchange(g.client, g.request(http.MethodGet, "/", nil, named("halves"))); err == nil {
		g.t.Errorf("half an answer passed for a whole one: %d %q", res.StatusCode, body)
	}
}
