package acceptance

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestWebSocketsPassThrough(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startWorker(t, "worker-1")
	for name, to := range map[string]struct{ address, path, header string }{
		"the sidecar": {hostOf(r.Sidecar), "/echo", "Fairlead-Service: worker\r\n"},
		"the bridge":  {hostOf(r.HTTP), "/call/worker/echo", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, answers := upgrade(t, to.address, to.path, to.header)
			// A masked text frame "Hello" (RFC 6455 §5.7), in two pieces, and
			// then whatever else.
			for _, piece := range []string{"\x81\x85\x37\xfa\x21\x3d", "\x7f\x9f\x4d\x51\x58", strings.Repeat("more", 1<<11)} {
				echoed(t, conn, answers, piece)
			}
		})
	}
}

// upgrade opens a WebSocket.
func upgrade(t *testing.T, address, path, header string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", path, address, header, key)
	answers := bufio.NewReader(conn)
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("got %s with %v", res.Status, res.Header)
	}
	return conn, answers
}

// echoed sends a piece and waits for it to come back before the next is sent.
func echoed(t *testing.T, conn net.Conn, answers io.Reader, piece string) {
	t.Helper()
	if _, err := io.WriteString(conn, piece); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len(piece))
	if _, err := io.ReadFull(answers, back); err != nil || string(back) != piece {
		t.Fatalf("got %.40q (%v), sent %.40q", back, err, piece)
	}
}

func TestServerSentEventsPassThroughAsTheyCome(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	within(t, patience, "the sidecar knows identity", func() bool { return curl(t, "-H", byHeader, r.Sidecar+"/users/1").status == 200 })
	readers := map[string]*reader{
		"the sidecar": read(t, r.Sidecar+"/events", "-H", byHeader),
		"the bridge":  read(t, r.HTTP+"/call/identity/events"),
	}
	for name, reader := range readers {
		within(t, patience, name+" passes the first line on", func() bool { return contains(reader.said.String(), ": changes of users\n\n") })
	}
	for n := range 3 {
		body := fmt.Sprintf(`{"name":"Ada %d"}`, n)
		expect(t, 200, "-X", "PUT", "-d", body, "-H", byHeader, r.Sidecar+"/users/1")
		for name, reader := range readers {
			if e := reader.next(t); e.name != "put" || !contains(e.data, fmt.Sprintf("Ada %d", n)) {
				t.Errorf("%s passes %+v on", name, e)
			}
		}
	}
}
