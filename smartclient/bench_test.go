package smartclient_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"fairlead.dev/smartclient"
)

// BenchmarkPick is the choice alone, among n instances.
func BenchmarkPick(b *testing.B) {
	for _, n := range []int{3, 100, 1000} {
		pick := smartclient.Picker(b, n, false)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pick()
			}
		})
	}
	pick := smartclient.Picker(b, 100, true)
	b.Run("100 with weights", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pick()
		}
	})
	pick = smartclient.Picker(b, 100, false)
	b.Run("100 in parallel", func(b *testing.B) {
		b.SetParallelism(4)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				pick()
			}
		})
	})
}

// BenchmarkChoice is all that a request does until it has its instance.
func BenchmarkChoice(b *testing.B) {
	choose := smartclient.Chooser(b, 100)
	b.ReportAllocs()
	for b.Loop() {
		choose()
	}
}

// BenchmarkRoundTrip is a whole request over loopback, through http.Client.
func BenchmarkRoundTrip(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	b.Cleanup(s.Close)
	o := options(newRealm(at("a", s.URL)))
	bare := o
	bare.TracerProvider, bare.MeterProvider = tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider()
	metered := bare
	metered.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	traced := metered
	traced.TracerProvider = sdktrace.NewTracerProvider()
	plain := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}
	b.Cleanup(plain.CloseIdleConnections)
	b.Run("plain http.Client", func(b *testing.B) { roundTrips(b, plain, s.URL) })
	for _, row := range []struct {
		name string
		o    smartclient.Options
	}{{"bare", bare}, {"defaults", o}, {"metrics", metered}, {"metrics and traces", traced}} {
		c := smartclient.New(row.o)
		b.Cleanup(c.CloseIdleConnections)
		b.Run(row.name, func(b *testing.B) { roundTrips(b, c.HTTPClient(), "service://identity") })
	}
}

func roundTrips(b *testing.B, c *http.Client, url string) {
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Get(url + "/users/1")
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// BenchmarkOverhead is this package's own part of a request: the base answers
// at once.
func BenchmarkOverhead(b *testing.B) {
	base := roundTrip(func(req *http.Request) (*http.Response, error) { return answer(req, 200, nil), nil })
	o := options(newRealm(at("a", "http://10.0.0.1:1"), at("b", "http://10.0.0.2:1")))
	o.Base, o.TracerProvider, o.MeterProvider = base, tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider()
	for _, row := range []struct {
		name, url string
	}{{"plain", "http://10.0.0.1:1"}, {"service", "service://identity"}} {
		tr := smartclient.NewTransport(o)
		req, _ := http.NewRequest("GET", row.url+"/users/1", nil)
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				resp, err := tr.RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
			}
		})
	}
}

// A request to a service must cost no more than one that net/http sends to a
// fixed address over the same kind of connection.
func TestRoundTripAllocates(t *testing.T) {
	o := options(newRealm(at("a", "http://10.0.0.1:1"), at("b", "http://10.0.0.2:1")))
	o.TracerProvider, o.MeterProvider = tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider()
	ours := newClient(t, o)
	smartclient.SetDial(ours.Transport(), dialCanned)
	plain := &http.Client{Transport: &http.Transport{DialContext: dialCanned}}
	defer plain.CloseIdleConnections()
	least := allocationsOf(t, plain.Do, "http://10.0.0.1:1/users/1")
	if n := allocationsOf(t, ours.Do, "service://identity/users/1"); n > least {
		t.Errorf("%v allocations, net/http has %v", n, least)
	}
}

func allocationsOf(t *testing.T, do func(*http.Request) (*http.Response, error), url string) float64 {
	req := newRequest(t, "GET", url, "")
	return testing.AllocsPerRun(1000, func() {
		resp, err := do(req)
		if err != nil {
			t.Fatal(err)
		}
		readAll(t, resp)
	})
}

// A canned connection answers whatever is written.
type canned struct {
	net.Conn
	asked, closed chan struct{}
	close         func()
}

func dialCanned(context.Context, string, string) (net.Conn, error) {
	c := &canned{asked: make(chan struct{}, 1), closed: make(chan struct{})}
	c.close = sync.OnceFunc(func() { close(c.closed) })
	return c, nil
}

func (c *canned) Read(p []byte) (int, error) {
	select {
	case <-c.asked:
		return copy(p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *canned) Write(p []byte) (int, error) {
	c.asked <- struct{}{}
	return len(p), nil
}

func (c *canned) Close() error {
	c.close()
	return nil
}

// What http.Client does for redirects is not paid for by those that are none.
func BenchmarkDo(b *testing.B) {
	o := options(newRealm(at("a", "http://10.0.0.1:1")))
	resp := answer(nil, 200, nil)
	o.Base = roundTrip(func(*http.Request) (*http.Response, error) { return resp, nil })
	o.TracerProvider, o.MeterProvider = tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider()
	c := smartclient.New(o)
	req, _ := http.NewRequest("GET", "service://identity/users/1", nil)
	for name, do := range map[string]func(*http.Request) (*http.Response, error){"at once": c.Do, "through http.Client": c.HTTPClient().Do} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := do(req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
