package planetest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// prompt is how late a part of a stream may be. Proxies that wait for more to
// send take 200 ms; a busy machine may take some too.
const prompt = 150 * time.Millisecond

// streams: each part of an answer passes when it is sent.
func streams(g *rig) {
	more := make(chan struct{})
	stream := func(header, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			for range 6 {
				_, _ = io.WriteString(w, "data: x\n\n")
				_ = http.NewResponseController(w).Flush()
				<-more
			}
		}
	}
	g.set(g.serve("events", "i0", stream("Content-Type", "text/event-stream")),
		g.serve("chunked", "i0", stream("Content-Type", "text/plain")),
		g.serve("sized", "i0", stream("Content-Length", "54")))
	for _, service := range []string{"events", "chunked", "sized"} {
		res, err := g.client.Do(g.request(http.MethodGet, "/", nil, named(service)))
		if err != nil {
			g.t.Fatal(err)
		}
		if late := g.readParts(res.Body, more); late > 2 {
			g.t.Errorf("%s: %d of 6 parts came late", service, late)
		}
		res.Body.Close()
	}
}

// readParts reads the parts, asking for the next one each time, and counts
// those that were late.
func (g *rig) readParts(from io.Reader, more chan<- struct{}) (late int) {
	g.t.Helper()
	for range 6 {
		began := time.Now()
		part := make([]byte, 9)
		if _, err := io.ReadFull(from, part); err != nil || string(part) != "data: x\n\n" {
			g.t.Fatalf("got %q, %v", part, err)
		}
		if time.Since(began) > prompt {
			late++
		}
		more <- struct{}{}
	}
	return late
}

// upgrades: a WebSocket is a stream of bytes in both directions.
func upgrades(g *rig) {
	g.set(g.serve("identity", "i0", echoing))
	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: identity.service\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	lines := bufio.NewReader(conn)
	res, err := http.ReadResponse(lines, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "websocket" {
		g.t.Fatalf("got %+v, %v", res, err)
	}
	for _, word := range []string{"hello\n", "again\n"} {
		_, _ = io.WriteString(conn, word)
		if got, err := lines.ReadString('\n'); got != word {
			g.t.Fatalf("echo of %q is %q, %v", word, got, err)
		}
	}
}

// echoing accepts an upgrade and sends back what comes.
func echoing(w http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	_, _ = io.Copy(conn, buffered)
}

// trailers pass both ways.
func trailers(g *rig) {
	g.set(g.serve("identity", "i0", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", r.Trailer.Get("X-Check"))
	}))
	req := g.request(http.MethodPost, "/", io.MultiReader(strings.NewReader("ab"), strings.NewReader("cd")), named("identity"))
	req.Trailer = http.Header{"X-Check": {"42"}}
	if res, body := g.send(req); body != "body" || res.Trailer.Get("X-Sum") != "42" {
		g.t.Errorf("body %q, trailer %v", body, res.Trailer)
	}
}

// largeBodies pass both ways, of a known length and of none.
func largeBodies(g *rig) {
	const size = 16 << 20
	g.set(g.serve("identity", "i0", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Length", fmt.Sprint(n))
		_, _ = io.Copy(w, io.LimitReader(zeros{}, size))
	}))
	for _, length := range []int64{size, -1} {
		req := g.request(http.MethodPost, "/", io.LimitReader(zeros{}, size), named("identity"))
		req.ContentLength = length
		res, body := g.send(req)
		if res.Header.Get("X-Length") != fmt.Sprint(size) || len(body) != size {
			g.t.Errorf("of length %d the service got %s, the caller %d", length, res.Header.Get("X-Length"), len(body))
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
