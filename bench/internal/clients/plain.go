package clients

import (
	"errors"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// named is the URL of those who put an address in place of the name.
const named = "http://" + Service

// plain knows one address, and that for good.
func plain(f *Fleet) (Client, error) {
	addrs, _ := f.addrs()
	t := newTransport()
	return clientOf("http://"+addrs[0], t, t), nil
}

// instrumented is plain with metrics and traces.
func instrumented(f *Fleet) (Client, error) {
	addrs, _ := f.addrs()
	t := newTransport()
	inner := otelhttp.NewTransport(t, otelhttp.WithMeterProvider(newMeters()), otelhttp.WithTracerProvider(newTracers()), otelhttp.WithPropagators(propagator))
	return clientOf("http://"+addrs[0], inner, t), nil
}

func roundRobin(f *Fleet) (Client, error) {
	t := newTransport()
	return clientOf(named, inTurn{f, t}, t), nil
}

// inTurn sends each attempt to the next instance. It stands under those that
// repeat but do not balance.
type inTurn struct {
	fleet *Fleet
	next  http.RoundTripper
}

var errNobody = errors.New("the fleet is empty")

func (r inTurn) RoundTrip(req *http.Request) (*http.Response, error) {
	list := *r.fleet.list.Load()
	if len(list) == 0 {
		return nil, errNobody
	}
	out := req.WithContext(req.Context())
	at := *req.URL
	at.Host = list[r.fleet.next.Add(1)%uint64(len(list))]
	out.URL = &at
	return r.next.RoundTrip(out)
}
