package smartclient

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// WrapConns puts something between the transport and the network.
func WrapConns(t *Transport, wrap func(net.Conn) net.Conn) {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return wrap(conn), nil
	}
	SetDial(t, dial)
	t.base.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: conn}, nil
	}
}

// SetDial replaces how the transport's own connections are made.
func SetDial(t *Transport, dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	t.pool.Dial = dial
}

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
// used, and take between one and three milliseconds.
func Picker(t testing.TB, n int, weighted bool) func() {
	list := instances(make([]int, n)...)
	for i := range list {
		list[i].Weight = 100
		if weighted {
			list[i].Weight = 50 + i
		}
	}
	v := viewOf(t, "", list)
	for i, e := range v.members {
		e.load.latency.observe(time.Second, time.Millisecond+time.Duration(i%40)*50*time.Microsecond)
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

// Chooser returns a function that does what a request of a service with n
// instances does until it knows which of them it goes to.
func Chooser(t testing.TB, n int) func() {
	list := instances(make([]int, n)...)
	table := registry.NewTable("test", "e1").WithService("identity", 1, list)
	tr := NewTransport(Options{Resolver: tabled{table}, Zone: "here"})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "service://identity/", nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCall(tr, req, "identity")
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		now, err := c.prepare(1)
		if err == nil {
			_, _, err = c.choose(now)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tabled resolves by a table, as those do that follow the registry.
type tabled struct{ table *registry.Table }

func (r tabled) Resolve(_ context.Context, service string) (*registry.Service, error) {
	return r.table.Service(service), nil
}
