package builtin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/problem"
	"fairlead.dev/smartclient"
)

// ErrorHeader carries the code of an error that is the proxy's own. No answer
// of a service has it.
const ErrorHeader = problem.ErrorHeader

// codeClientGone is never seen by a caller, only in the metrics.
const codeClientGone = "client-gone"

// problemOf says what a caller should know of a request that got no answer.
func problemOf(ctx context.Context, service string, err error) *problem.Problem {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return forwarding(problem.StatusClientClosed, codeClientGone, problem.MaybeProcessed, "the caller went away")
	case errors.Is(err, registry.ErrNoSuchService):
		return forwarding(http.StatusServiceUnavailable, "no-such-service", problem.NotProcessed, fmt.Sprintf("no instance of %s is registered", service))
	case errors.Is(err, registry.ErrNoneEnabled):
		return forwarding(http.StatusServiceUnavailable, "none-enabled", problem.NotProcessed, fmt.Sprintf("every instance of %s is disabled or draining", service))
	case errors.Is(err, registry.ErrNeverSeen):
		return forwarding(http.StatusServiceUnavailable, "registry-never-seen", problem.NotProcessed, fmt.Sprintf("the registry has not answered yet, so nothing is known of %s", service))
	case !maybeProcessed(err) && errors.Is(err, context.DeadlineExceeded):
		return forwarding(http.StatusGatewayTimeout, "timeout", problem.NotProcessed, fmt.Sprintf("the time for the request was over before an instance of %s was reached", service))
	case errors.Is(err, smartclient.ErrRouteRefused):
		return forwarding(http.StatusForbidden, "route-refused", problem.NotProcessed, fmt.Sprintf("%s: the policy of %s does not permit it (route_override)", smartclient.RouteHeader, service))
	case errors.Is(err, smartclient.ErrNoSuchInstance):
		return forwarding(http.StatusServiceUnavailable, "no-such-instance", problem.NotProcessed, fmt.Sprintf("%s: the instance of %s that it names is not registered, or takes no requests", smartclient.RouteHeader, service))
	case errors.As(err, new(*registry.FieldError)):
		return forwarding(http.StatusBadRequest, "invalid-route", problem.NotProcessed, err.Error())
	case !maybeProcessed(err):
		return forwarding(http.StatusServiceUnavailable, "unreachable", problem.NotProcessed, fmt.Sprintf("no instance of %s could be reached", service))
	case timedOut(err):
		return forwarding(http.StatusGatewayTimeout, "timeout", problem.MaybeProcessed, fmt.Sprintf("%s did not answer in time", service))
	}
	return forwarding(http.StatusBadGateway, "no-answer", problem.MaybeProcessed, fmt.Sprintf("an instance of %s broke off before it answered", service))
}

func forwarding(status int, code string, processed problem.Processed, detail string) *problem.Problem {
	p := problem.New(status, code, detail)
	p.Processed = processed
	return p
}

// maybeProcessed is true unless the client knows better.
func maybeProcessed(err error) bool {
	var known *smartclient.Error
	return !errors.As(err, &known) || known.Processed
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// retryAfter is how many seconds a caller should wait for a service without a
// usable instance: about as long as a table needs to learn of a new one.
const retryAfter = "1"

// fail answers with a problem of the proxy's own.
func fail(w http.ResponseWriter, p *problem.Problem) {
	h := w.Header()
	h.Set(ErrorHeader, p.Code())
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	p.Write(w)
}
