package builtin

import (
	"context"
	"net/http"
	"net/textproto"
	"net/url"
	"sync"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"fairlead.dev/sidecar/problem"
	"fairlead.dev/smartclient"
)

// codeAborted stands for an answer that broke off after its header was passed
// on, which the caller sees as a broken connection.
const codeAborted = "aborted"

// An exchange is one request on its way.
type exchange struct {
	w       http.ResponseWriter
	r       *http.Request
	service string
	began   time.Time

	out      *http.Request
	url      url.URL
	progress smartclient.Progress
	interim  interim

	status int
	// took is set where the exchange is over before its connection is.
	took time.Duration
	// failure is the code of an error of ours, or of an answer that broke off.
	failure string
}

// begin makes an exchange, with all that it needs in one allocation.
func begin(w http.ResponseWriter, r *http.Request, service string) *exchange {
	x := &exchange{w: w, r: r, service: service, began: time.Now(), failure: codeAborted}
	x.interim.w = w
	x.progress.Interim = x.interim.pass
	return x
}

// context is that in which the request is forwarded: with the exchange's
// progress, and with the caller's trace, so that spans of the smart client
// become its children and not roots of their own.
func (x *exchange) context() context.Context {
	ctx := smartclient.WithProgress(x.r.Context(), &x.progress)
	if x.r.Header["Traceparent"] != nil {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(x.r.Header))
	}
	return ctx
}

// returned notes that the whole answer was passed on, if there was one.
func (x *exchange) returned() {
	if x.failure == codeAborted {
		x.failure = ""
	}
}

// fail answers with an error of the proxy's own.
func (x *exchange) fail(p *problem.Problem) {
	x.status, x.failure = p.Status, p.Code()
	fail(x.w, p)
}

// interim passes 1xx answers on. The transport may still have one in hand when
// the real answer is there, and the header's map belongs to that then.
type interim struct {
	mu   sync.Mutex
	w    http.ResponseWriter
	over bool
}

func (i *interim) pass(status int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over {
		return nil
	}
	h := i.w.Header()
	copyHeader(h, http.Header(header))
	i.w.WriteHeader(status)
	clear(h)
	return nil
}

func (i *interim) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
}
