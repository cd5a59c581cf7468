package smartclient

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient/internal/h1"
)

// A Transport is an [http.RoundTripper] that sends requests for
// service://NAME/… to an instance of that service, and passes others on. It may
// be used concurrently.
type Transport struct {
	options   Options
	pool      *h1.Pool          // for attempts that it carries; nil with a caller's Base
	base      http.RoundTripper // for the other attempts
	others    http.RoundTripper // for other schemes
	ours      bool              // base is this package's own, so it proves what was sent
	sidecar   *sidecar          // nil without one
	telemetry *telemetry
	balancers lookup[string, *balancer]
	epoch     time.Time
}

// NewTransport returns a Transport. It starts nothing and asks nobody yet.
func NewTransport(o Options) *Transport {
	o = o.withDefaults()
	t := &Transport{options: o, base: o.Base, others: o.Base, telemetry: newTelemetry(o), epoch: time.Now()}
	if o.Base == nil {
		t.pool, t.base, t.others, t.ours = newPool(), newBase(), http.DefaultTransport, true
	}
	if at := o.sidecar(); at != "" {
		t.sidecar = newSidecar(at)
		t.options.Resolver = t.sidecar
	}
	return t
}

// sidecar returns the URL of the sidecar to use, empty if there is none.
func (o Options) sidecar() string {
	if o.Sidecar == "" && o.Resolver == nil {
		return os.Getenv(EnvSidecar)
	}
	return o.Sidecar
}

var errNoResolver = fmt.Errorf("Options.Resolver: must be set to call services, or %s name a sidecar; package connect finds the bus by itself", EnvSidecar)

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL == nil || req.URL.Scheme != scheme {
		return t.others.RoundTrip(req)
	}
	c, err := t.call(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	return c.run()
}

func (t *Transport) call(req *http.Request) (*call, error) {
	service, err := serviceOf(req.URL)
	if err != nil {
		return nil, err
	}
	if t.options.Resolver == nil {
		return nil, errNoResolver
	}
	if fromOutside(req.Response) {
		return nil, ErrForeignRedirect
	}
	return newCall(t, req, service)
}

// fromOutside tells whether the redirect that led to a request, nil if none
// did, is no service's.
func fromOutside(redirect *http.Response) bool {
	return redirect != nil && redirect.Request != nil && redirect.Request.URL.Scheme != scheme
}

// balancerOf returns what is kept of a service.
func (t *Transport) balancerOf(service string) *balancer {
	if b, ok := t.balancers.get(service); ok {
		return b
	}
	return t.balancers.add(service, func() *balancer { return newBalancer(service, t.options) })
}

// known returns what is kept of a service already, nils if it is new.
func (t *Transport) known(service string) (*balancer, *view) {
	b, ok := t.balancers.get(service)
	if !ok {
		return nil, nil
	}
	return b, b.current.Load()
}

// forget drops what is kept of a service that is no more.
func (t *Transport) forget(service string, err error) {
	if !errors.Is(err, registry.ErrNoSuchService) {
		return
	}
	t.balancers.remove(service)
	if t.sidecar != nil {
		t.sidecar.known.remove(service)
	}
}

// now is a monotonic clock: the time since the transport began.
func (t *Transport) now() time.Duration { return time.Since(t.epoch) }

// CloseIdleConnections closes the connections to instances that no request
// uses, and those of a Base that can.
func (t *Transport) CloseIdleConnections() {
	if t.pool != nil {
		t.pool.CloseIdleConnections()
	}
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
