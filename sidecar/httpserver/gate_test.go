package httpserver

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A visitor is one client's connection.
type visitor struct {
	*testing.T
	net.Conn
	answers *bufio.Reader
}

func visit(t *testing.T, url string) visitor {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return visitor{t, conn, bufio.NewReader(conn)}
}

// asks sends a request and returns the status of the answer. Only 503s may be
// the last of their connection.
func (v visitor) asks(path string) (status int) {
	v.Helper()
	_, _ = io.WriteString(v, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
	return v.hears()
}

func (v visitor) hears() (status int) {
	v.Helper()
	res, err := http.ReadResponse(v.answers, nil)
	if err != nil {
		v.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.Close != (res.StatusCode == http.StatusServiceUnavailable) {
		v.Fatalf("heard %d (close: %t, %v)", res.StatusCode, res.Close, err)
	}
	return res.StatusCode
}

func (v visitor) isSentAway() {
	v.Helper()
	if _, err := v.answers.ReadByte(); err != io.EOF {
		v.Fatalf("the connection is not closed: %v", err)
	}
}

func TestOneMoreTakesTheSeatOfWhoWaitsForItsNextRequest(t *testing.T) {
	url, stop := run(t, http.NotFoundHandler(), Options{MaxConnections: 1})
	first, second := visit(t, url), visitor{}
	first.asks("/")
	// It is idle a moment after its answer.
	await(t, "seat", func() bool { second = visit(t, url); return second.asks("/") == http.StatusNotFound })
	first.isSentAway()
	second.asks("/")
	_ = second.Close()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestTheSeatThatIsIdleForLongestIsGivenUp(t *testing.T) {
	g := &gate{seats: &seats{most: 3}}
	at := map[string]int64{"busy": 0, "later": 200, "earlier": 100}
	guests := map[string]*guest{}
	for name, since := range at {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
		guests[name] = &guest{Conn: ours, gate: g}
		guests[name].rest(since)
		g.seats.welcome(guests[name])
	}
	for _, name := range []string{"earlier", "later", "nobody"} {
		more := &guest{gate: g}
		g.seats.welcome(more)
		if seated := more.at > 0; seated != (name != "nobody") {
			t.Errorf("one more has seat %d, %s should have given up", more.at, name)
		}
		for other, c := range guests {
			if other == name && c.stir() {
				t.Errorf("%s goes on", name)
			}
		}
	}
	if !guests["busy"].stir() {
		t.Error("who was busy lost the seat")
	}
}

// A server whose connections are all at work says so, and serves on.
func TestWhereNoSeatIsIdleOneMoreIsToldSo(t *testing.T) {
	busy, rest := make(chan struct{}, 1), make(chan struct{})
	url, stop := run(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/work" {
			busy <- struct{}{}
			<-rest
		}
	}), Options{MaxConnections: 1})
	first := visit(t, url)
	_, _ = io.WriteString(first, "GET /work HTTP/1.1\r\nHost: a\r\n\r\n")
	<-busy
	for range 3 {
		other := visit(t, url)
		if status := other.asks("/"); status != http.StatusServiceUnavailable {
			t.Errorf("one more heard %d", status)
		}
		other.isSentAway()
	}
	var early [standingAtLeast]visitor
	for i := range early {
		early[i] = visit(t, url)
	}
	close(rest)
	if status := first.hears(); status != http.StatusOK {
		t.Errorf("who was at work heard %d", status)
	}
	_ = first.Close()
	// They came when there was no seat, and ask when there is one.
	next := 0
	await(t, "seat", func() bool { next++; return early[next-1].asks("/") == http.StatusOK })
	for _, v := range early {
		_ = v.Close()
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Who watches a server must be able to tell that it waits from that it hangs.
func TestAFullServerSaysSo(t *testing.T) {
	var full atomic.Bool
	const most = 2
	url, stop := run(t, http.NotFoundHandler(), Options{MaxConnections: most, Full: &full})
	var conns [most + standingAtLeast]visitor
	for i := range conns {
		await(t, "room", func() bool { return !full.Load() })
		conns[i] = visit(t, url)
	}
	await(t, "full", full.Load)
	_ = conns[0].Close()
	await(t, "room again", func() bool { return !full.Load() })
	for _, v := range conns {
		_ = v.Close()
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	timeout := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("no %s", what)
		}
	}
}
