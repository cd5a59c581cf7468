package smartclient_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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

// What this package adds to a request of net/http: the call with its first
// attempt and the request that goes out, and the context with the hooks. The
// wire comes back, but not from a base of somebody else's.
func TestRoundTripAllocates(t *testing.T) {
	o := options(newRealm(at("a", "http://10.0.0.1:1"), at("b", "http://10.0.0.2:1")))
	resp := answer(nil, 200, nil)
	o.Base = roundTrip(func(*http.Request) (*http.Response, error) { return resp, nil })
	o.TracerProvider, o.MeterProvider = tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider()
	tr := smartclient.NewTransport(o)
	req := newRequest(t, "GET", "service://identity/users/1", "")
	n := testing.AllocsPerRun(1000, func() {
		if _, err := tr.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
	})
	if n > 4 {
		t.Errorf("%v allocations, want at most 4", n)
	}
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
