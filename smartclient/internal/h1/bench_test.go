package h1_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead.dev/smartclient/internal/h1"
)

// served, in the environment, has the test program serve instead, so that a
// client can be measured without its server.
const served = "H1_TEST_SERVE"

func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + l.Addr().String())
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "ok")
	})))
}

func startServer(b *testing.B) (url string) {
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), served+"=1")
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	if _, err := fmt.Fscan(out, &url); err != nil {
		b.Fatal(err)
	}
	return url
}

// BenchmarkRequest compares with http.Transport over loopback, without a body
// and with one at hand.
func BenchmarkRequest(b *testing.B) {
	url := startServer(b)
	dial := new(net.Dialer).DialContext
	pool := &h1.Pool{Dial: dial, IdleTimeout: time.Minute, MostIdle: 9}
	defer pool.CloseIdleConnections()
	transport := &http.Transport{DialContext: dial, DisableCompression: true}
	defer transport.CloseIdleConnections()
	for _, kind := range []string{"none", "at hand"} {
		for name, send := range map[string]func(*http.Request) (*http.Response, error){
			"h1":       func(r *http.Request) (*http.Response, error) { return pool.Send(r, new(h1.Course)) },
			"net-http": transport.RoundTrip,
		} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				began := processorTime()
				defer func() {
					b.ReportMetric(float64(processorTime()-began)/float64(b.N), "cpu-ns/op")
				}()
				for b.Loop() {
					resp, err := send(requestOf(b, url, kind))
					read(b, resp, err)
				}
			})
		}
	}
}

func requestOf(t testing.TB, url, kind string) *http.Request {
	method, body := "POST", io.Reader(strings.NewReader("a body"))
	if kind == "none" {
		method, body = "GET", nil
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
