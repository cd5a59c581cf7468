package proxies

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseWrk(t *testing.T) {
	t.Parallel()
	const good = "Running 3s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n  34567 requests in 3.00s, 11.9MB read\nRequests/sec: 11522.33\n"
	if n, err := parseWrk(good); n != 34567 || err != nil {
		t.Errorf("parseWrk = %d, %v", n, err)
	}
	for _, bad := range []string{"", good + "  Non-2xx or 3xx responses: 4\n", good + "  Socket errors: connect 0, read 3, write 0, timeout 0\n"} {
		if _, err := parseWrk(bad); !errors.Is(err, errWrk) {
			t.Errorf("parseWrk(%q) = %v", bad, err)
		}
	}
}

func TestPacedCatchesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 950*time.Millisecond)
		defer cancel()
		n := 0
		for i := range paced(ctx, 100*time.Millisecond) {
			if n++; i == 2 {
				<-time.After(450 * time.Millisecond)
			}
		}
		if n != 10 {
			t.Errorf("paced %d times", n)
		}
	})
}

func TestLoadCountsWhatIsNotTheBackendsAnswer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Fairlead-Service") == Service {
			_, _ = io.WriteString(w, answer[:100])
		}
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	o := Load(ctx, server.URL, Pace{PerSecond: 100, Connections: 2})
	if o.Sent == 0 || o.Failed != o.Sent || !errors.Is(o.First, errAnswer) {
		t.Errorf("Load = %+v", o)
	}
}
