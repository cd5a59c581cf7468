package smartservice

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"

	"fairlead.dev/smartclient"
)

// HeaderRequestID names a request in the logs of every service it passes.
const HeaderRequestID = "X-Request-Id"

// longestRequestID bounds what a caller may have written into logs.
const longestRequestID = 128

// A request is what the service knows of one it serves.
type request struct {
	id  string
	log *slog.Logger
}

type requestKey struct{}

// RequestID returns the id of the request that ctx belongs to, empty outside
// of requests. Set it as [HeaderRequestID] of what is asked of others.
func RequestID(ctx context.Context) string {
	r, _ := ctx.Value(requestKey{}).(request)
	return r.id
}

// Logger returns the logger of the request that ctx belongs to, which names
// its id and trace, or slog.Default outside of requests.
func Logger(ctx context.Context) *slog.Logger {
	r, ok := ctx.Value(requestKey{}).(request)
	if !ok {
		return slog.Default()
	}
	log := r.log.With("request_id", r.id)
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		log = log.With("trace_id", span.TraceID().String())
	}
	return log
}

// acceptRequestID returns the caller's id if it can stand in a header and a
// log as it is, else a new one.
func acceptRequestID(asked string) string {
	if asked == "" || len(asked) > longestRequestID {
		return rand.Text()
	}
	for _, c := range []byte(asked) {
		if c <= ' ' || c > '~' {
			return rand.Text()
		}
	}
	return asked
}

// requests serves next with an id for each request, within the time that its
// caller waits, with an access log at debug, and an answer even where a handler
// panics. It runs inside the
// instrumentation, which learns pattern and form from the request it passed.
func requests(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, outer *http.Request) {
		id := acceptRequestID(outer.Header.Get(HeaderRequestID))
		w.Header().Set(HeaderRequestID, id)
		ctx, served := smartclient.Inbound(outer)
		defer served()
		if ctx.Err() != nil {
			WriteProblem(w, http.StatusGatewayTimeout, "the caller's time was over when the request arrived, so it was not processed")
			return
		}
		routes, err := smartclient.ParseRoutes(outer.Header[smartclient.RouteHeader]...)
		if err != nil {
			WriteProblem(w, http.StatusBadRequest, err.Error())
			return
		}
		ctx = context.WithValue(smartclient.WithRoutes(ctx, routes), requestKey{}, request{id, log})
		r := outer.WithContext(ctx)
		defer func() { outer.Pattern, outer.MultipartForm = r.Pattern, r.MultipartForm }()
		began := time.Now()
		seen := serve(next, w, r)
		if log.Enabled(r.Context(), slog.LevelDebug) {
			seen.log(r, time.Since(began))
		}
	})
}
