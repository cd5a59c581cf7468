package httpserver

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Who watches a server must be able to tell that it waits from that it hangs.
func TestAFullServerSaysSo(t *testing.T) {
	var full atomic.Bool
	url, stop := run(t, http.NotFoundHandler(), Options{MaxConnections: 2, Full: &full})
	addr := strings.TrimPrefix(url, "http://")
	var conns [2]net.Conn
	for i := range conns {
		await(t, "room", func() bool { return !full.Load() })
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = conn
	}
	await(t, "full", full.Load)
	_ = conns[0].Close()
	await(t, "room again", func() bool { return !full.Load() })
	_ = conns[1].Close()
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
