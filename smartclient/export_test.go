package smartclient

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"
)

// NewBase is the default base with something between it and the network.
func NewBase(wrap func(net.Conn) net.Conn) http.RoundTripper {
	base := newBase()
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: wrap(conn)}, nil
	}
	return base
}

// SetBase replaces the transport's own base.
func SetBase(t *Transport, base http.RoundTripper) { t.base = base }

// BaseOf returns the transport's own base.
func BaseOf(t *Transport) *http.Transport { return t.base.(*http.Transport) }

// InFlight sums up the requests in flight to a service.
func InFlight(t *Transport, service string) (n int64) {
	for _, e := range t.balancerOf(service).current.Load().members {
		n += e.load.inFlight.Load()
	}
	return n
}

// Picker returns a function that picks one of n instances that have all been
// used.
func Picker(t testing.TB, n int, weighted bool) func() {
	list := instances(make([]int, n)...)
	for i := range list {
		list[i].Weight = 100
		if weighted {
			list[i].Weight = 50 + i
		}
	}
	v := viewOf(t, "", list)
	for _, e := range v.members {
		e.load.latency.observe(time.Second, time.Millisecond)
	}
	return func() { v.pick(2*time.Second, nil) }
}

// Fails sums up the failures in a row of a service's instances.
func Fails(t *Transport, service string) (n int32) {
	for _, e := range t.balancerOf(service).current.Load().members {
		n += e.load.fails.Load()
	}
	return n
}
