package planetest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// seenByService: what a caller says of itself does not reach an instance, nor
// what it means for this hop alone.
func seenByService(g *rig) { g.isSeen("X-A: b") }

// seenByRoute: nor does it where a route is named.
func seenByRoute(g *rig) { g.isSeen("Fairlead-Route: other=x") }

func (g *rig) isSeen(extra string) {
	seen := make(chan *http.Request, 1)
	g.set(g.serve("identity", "i0", func(_ http.ResponseWriter, r *http.Request) { seen <- r }))
	g.get("/a%2Fb//c?x=%zz", extra, named("identity"), "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil", "X-Forwarded-Proto: https",
		"Forwarded: for=6.6.6.6", "Connection: X-Secret, X-Forwarded-For", "X-Secret: 1", "Via: 1.0 edge", "User-Agent: me", "Accept-Encoding: br",
		"Proxy-Authorization: Basic eA==", "Keep-Alive: timeout=5",
		"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r := <-seen
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": g.addr, "X-Forwarded-Proto": "http", "Forwarded": "",
		"X-Secret": "", "Via": "1.0 edge, 1.1 fairlead", "User-Agent": "me", "Accept-Encoding": "br", "Fairlead-Service": "",
		"Proxy-Authorization": "", "Keep-Alive": "",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	} {
		if got := strings.Join(r.Header.Values(name), ", "); got != want {
			g.t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.RequestURI != "/a%2Fb//c?x=%zz" || r.Host != g.addr {
		g.t.Errorf("the request is for %s at %s", r.RequestURI, r.Host)
	}
	g.proxied("http://identity.service/x")
	if r := <-seen; r.RequestURI != "/x" || r.Host != "identity.service" || r.Header.Get("Proxy-Connection") != "" {
		g.t.Errorf("a proxied request is for %s at %s with %v", r.RequestURI, r.Host, r.Header)
	}
}

// seenByCaller: an answer passes as it is, but for what only a plane may say
// and what was meant for this hop.
func seenByCaller(g *rig) {
	g.set(g.serve("identity", "i0", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Fairlead-Error", "pretended")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.Header().Set("X-Own", "1")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "body")
	}))
	res, body := g.get("/", named("identity"))
	if res.StatusCode != http.StatusTeapot || body != "body" || res.Header.Get("X-Own") != "1" {
		g.t.Errorf("got %d %s %v", res.StatusCode, body, res.Header)
	}
	if res.Header.Get("Fairlead-Error") != "" || res.Header.Get("X-Hop") != "" {
		g.t.Errorf("the caller got %v", res.Header)
	}
}

// largeHeaders: 70 kB are refused, by the status for it or by that of a bad
// request, or by closing the connection on one who still writes.
func largeHeaders(g *rig) {
	g.set(g.serve("identity", "i0", func(http.ResponseWriter, *http.Request) { g.t.Error("an instance saw it") }))
	res := g.raw("GET / HTTP/1.1\r\nHost: identity.service\r\nX-Big: " + strings.Repeat("x", 70<<10) + "\r\n\r\n")
	if res == nil {
		return
	}
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge && res.StatusCode != http.StatusBadRequest {
		g.t.Errorf("got %d", res.StatusCode)
	}
}

// ambiguous: what two programs could understand differently is refused, or an
// instance sees it in one meaning only.
func ambiguous(g *rig) {
	type sight struct {
		length int64
		body   string
		path   string
	}
	seen := make(chan sight, 8)
	g.set(g.serve("identity", "i0", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- sight{r.ContentLength, string(body), r.URL.Path}
	}))
	const head = "POST /first HTTP/1.1\r\nHost: identity.service\r\nConnection: close\r\n"
	for name, request := range map[string]string{
		"two lengths":           head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"no length":             head + "Content-Length: x\r\n\r\nabcd",
		"negative length":       head + "Content-Length: -1\r\n\r\nabcd",
		"unknown coding":        head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"folded line":           head + "X-A: b\r\n c\r\nContent-Length: 4\r\n\r\nabcd",
		"blank before colon":    head + "Content-Length : 4\r\n\r\nabcd",
		"nul in a header":       head + "X-A: b\x00c\r\n\r\n",
		"two hosts":             "POST /first HTTP/1.1\r\nHost: identity.service\r\nHost: other.service\r\n\r\n",
		"authority and host":    "GET http://identity.service/first HTTP/1.1\r\nHost: other.service\r\n\r\n",
		"length and coding":     head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /second HTTP/1.1\r\nHost: identity.service\r\n\r\n",
		"line ends of one byte": "GET /first HTTP/1.1\nHost: identity.service\nConnection: close\n\n",
	} {
		res := g.raw(request)
		if res != nil && res.StatusCode >= 400 {
			continue
		}
		select {
		case s := <-seen:
			if res == nil || s.path != "/first" || len(s.body) > 4 || s.length > 0 && s.length != int64(len(s.body)) {
				g.t.Errorf("%s: the caller got %v, an instance saw %+v", name, res, s)
			}
		default:
			if res != nil {
				g.t.Errorf("%s: got %d from nobody", name, res.StatusCode)
			}
		}
	}
	select {
	case s := <-seen:
		g.t.Errorf("an instance saw another request: %+v", s)
	default:
	}
}
