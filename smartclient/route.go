package smartclient

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"fairlead.dev/registry"
)

// RouteHeader sends one request, and all that are made on its behalf, to other
// instances than the balancer would choose: a developer's own copy of a service
// among everybody's. Several are separated by commas.
//
//	Fairlead-Route: identity=alice-1, billing=alice-2
//
// Smart services carry it on from the request they serve to those they make.
const RouteHeader = "Fairlead-Route"

// Errors of requests with a route. Nothing was sent.
var (
	// ErrRouteRefused says that the service's metadata does not permit routes
	// (its policy's route_override).
	ErrRouteRefused = errors.New("route override is not permitted")
	// ErrNoSuchInstance says that the instance a route names is not there, or
	// takes no requests.
	ErrNoSuchInstance = errors.New("no such instance")
)

// The bounds of what a stranger's header may make others carry on.
const (
	mostRoutes     = 32
	mostRouteBytes = 4 << 10
)

// Routes say for some services which instance to use.
type Routes map[string]string

// ParseRoutes reads the values of a request's [RouteHeader] fields. The error
// is a [*registry.FieldError] that names the header and what is wrong with it.
func ParseRoutes(values ...string) (Routes, error) {
	if len(values) == 0 {
		return nil, nil
	}
	text := strings.Join(values, ",")
	if len(text) > mostRouteBytes {
		return nil, routeError("must be at most %d bytes, has %d", mostRouteBytes, len(text))
	}
	routes := Routes{}
	for element := range strings.SplitSeq(text, ",") {
		element = strings.Trim(element, " \t")
		if element == "" { // lists may have empty elements (RFC 9110 §5.6.1)
			continue
		}
		if err := routes.add(element); err != nil {
			return nil, err
		}
	}
	if len(routes) > mostRoutes {
		return nil, routeError("must name at most %d services, names %d", mostRoutes, len(routes))
	}
	return routes, nil
}

func (r Routes) add(element string) error {
	service, instance, found := strings.Cut(element, "=")
	if !found {
		return routeError("must be service=instance, as in identity=alice-1, got %.80q", element)
	}
	for _, name := range []string{service, instance} {
		if err := registry.ValidateName(RouteHeader, name); err != nil {
			return err
		}
	}
	if other, twice := r[service]; twice && other != instance {
		return routeError("must name one instance of %s, names %s and %s", service, other, instance)
	}
	r[service] = instance
	return nil
}

func routeError(format string, args ...any) error {
	return &registry.FieldError{Field: RouteHeader, Problem: fmt.Sprintf(format, args...)}
}

// String returns the value of a [RouteHeader], services in order.
func (r Routes) String() string {
	elements := make([]string, 0, len(r))
	for _, service := range slices.Sorted(maps.Keys(r)) {
		elements = append(elements, service+"="+r[service])
	}
	return strings.Join(elements, ",")
}

// WithRoutes returns a context whose requests take these routes, and carry them
// on. They add to those of ctx, and count before them.
func WithRoutes(ctx context.Context, r Routes) context.Context {
	if len(r) == 0 {
		return ctx
	}
	return carrying(ctx, func(c *carried) { c.routes = merged(c.routes, r) })
}

// RoutesOf returns the routes of a context, nil if it has none. They are
// shared: do not change them.
func RoutesOf(ctx context.Context) Routes {
	return carriedBy(ctx).routes
}

func merged(before, more Routes) Routes {
	both := make(Routes, len(before)+len(more))
	maps.Copy(both, before)
	maps.Copy(both, more)
	return both
}

// routesOf returns the routes of a request: those of its header count before
// those that its context carries.
func routesOf(req *http.Request, carried Routes) (Routes, error) {
	values := req.Header[RouteHeader]
	if len(values) == 0 {
		return carried, nil
	}
	own, err := ParseRoutes(values...)
	if err != nil || len(carried) == 0 {
		return own, err
	}
	return merged(carried, own), nil
}

// routed returns the endpoint that a route names, if the service permits it.
// Whether it is ejected or in another zone is the route's business.
func (v *view) routed(instance string) (*endpoint, error) {
	service := v.of
	if !service.Meta.Policy.RouteOverride {
		return nil, fmt.Errorf("%s: %s=%s: %w by the service's policy (route_override)", RouteHeader, service.Name, instance, ErrRouteRefused)
	}
	if e := v.endpoint(instance); e != nil {
		return e, nil
	}
	why := "it is not registered"
	if service.Find(instance) != nil {
		why = "it is disabled, draining or critical"
	}
	return nil, fmt.Errorf("%s: %s=%s: %w: %s", RouteHeader, service.Name, instance, ErrNoSuchInstance, why)
}

func (v *view) endpoint(id string) *endpoint {
	for g := range v.groups {
		for i := range v.groups[g].endpoints {
			if e := &v.groups[g].endpoints[i]; e.instance.ID == id {
				return e
			}
		}
	}
	return nil
}
