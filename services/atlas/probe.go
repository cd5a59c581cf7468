package atlas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"

	"fairlead.dev/registry"
)

const (
	// probeTimeout leaves room for the verdict within two seconds of the
	// lease's end.
	probeTimeout = time.Second

	instanceHeader    = "Fairlead-Instance"
	incarnationHeader = "Fairlead-Incarnation"
)

// A prober asks instances whether they are alive, and who they are.
type prober struct {
	client *http.Client
	dialer *net.Dialer
	room   *semaphore.Weighted
}

func newProber() *prober {
	dialer := &net.Dialer{Timeout: probeTimeout, Control: onlyAllowed}
	transport := &http.Transport{
		DialContext: dialer.DialContext, DisableKeepAlives: true,
		TLSHandshakeTimeout: probeTimeout, MaxResponseHeaderBytes: 64 << 10,
	}
	return &prober{
		client: &http.Client{
			Transport: transport, Timeout: probeTimeout,
			// Where a redirect leads says nothing of the instance.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		dialer: dialer,
		room:   semaphore.NewWeighted(urgentAtOnce + lateAtOnce),
	}
}

func (p *prober) close() { p.client.CloseIdleConnections() }

// onlyAllowed checks the address a name resolved to, as the registration's own
// address was checked.
func onlyAllowed(_, address string, _ syscall.RawConn) error { return registry.AllowedDial(address) }

// probe asks once. The detail says more than the outcome where there is more
// to say. A silence that outlasted the probe's own limit by far says only that
// this process did not run meanwhile, so it asks again.
func (p *prober) probe(ctx context.Context, k registry.Key, r *record) (outcome, string) {
	if err := p.room.Acquire(ctx, 1); err != nil {
		return silent, ""
	}
	defer p.room.Release(1)
	began := time.Now()
	found, detail := p.ask(ctx, k, r)
	if found == silent && time.Since(began) > 2*probeTimeout {
		return p.ask(ctx, k, r)
	}
	return found, detail
}

func (p *prober) ask(ctx context.Context, k registry.Key, r *record) (outcome, string) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if r.Health == "" {
		return p.connect(ctx, r)
	}
	return p.get(ctx, k, r)
}

func (p *prober) connect(ctx context.Context, r *record) (outcome, string) {
	conn, err := p.dialer.DialContext(ctx, "tcp", net.JoinHostPort(r.Host, fmt.Sprint(r.Port)))
	if err != nil {
		return failed(err)
	}
	_ = conn.Close()
	return anonymous, ""
}

func (p *prober) get(ctx context.Context, k registry.Key, r *record) (outcome, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Endpoint()+r.Health, nil)
	if err != nil {
		return silent, err.Error()
	}
	req.Header.Set("User-Agent", "fairlead-atlas")
	res, err := p.client.Do(req)
	if err != nil {
		return failed(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	return recognise(k, r.Atlas.Incarnation, res)
}

// recognise tells whether an answer came from the registered incarnation.
func recognise(k registry.Key, incarnation string, res *http.Response) (outcome, string) {
	who, life := res.Header.Get(instanceHeader), res.Header.Get(incarnationHeader)
	switch {
	case who == k.String() && (life == incarnation || life == ""):
		return itself, ""
	case who != "":
		return another, who
	case res.StatusCode/100 == 2:
		return anonymous, ""
	}
	return unwell, res.Status
}

func failed(err error) (outcome, string) {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return refused, ""
	}
	return silent, ""
}
