package bridge

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/problem"
)

// A request is an HTTP request whose path has been matched. Key has the names
// that the path gave, all of them valid; the others are empty. The name of a
// setting stands where that of an instance would.
type request struct {
	*http.Request
	key registry.Key
}

// A handler answers a request, or returns the error to answer with.
type handler func(w http.ResponseWriter, r request) error

// A route is one path of the API. Segments like {realm} take a name.
//
// http.ServeMux is not used because it redirects paths such as /a//b or /a/../b
// to others, where a caller should hear which name is wrong, and because it
// tells a refused method in plain text.
type route struct {
	pattern string
	methods map[string]handler
}

// find returns the handler for a method and an escaped path, and the pattern
// of that path, empty if it fits none.
func find(routes []route, method, escapedPath string) (h handler, pattern string, key registry.Key, err error) {
	segments, err := split(escapedPath)
	if err != nil {
		return nil, "", key, problem.New(http.StatusBadRequest, "invalid-path", "path: must be a valid URL path")
	}
	for _, route := range routes {
		key, ok := match(route.pattern, segments)
		if !ok {
			continue
		}
		h, err = route.handler(method)
		if err != nil {
			return nil, route.pattern, key, err
		}
		return h, route.pattern, key, validate(route.pattern, key)
	}
	return nil, "", key, problem.New(http.StatusNotFound, "not-found", "there is nothing at this path; / and /openapi.json tell what there is")
}

// settingName is the segment of a pattern that names a setting.
const settingName = "{name}"

func split(escapedPath string) ([]string, error) {
	segments := strings.Split(strings.TrimPrefix(escapedPath, "/"), "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return nil, err
		}
		segments[i] = plain
	}
	return segments, nil
}

func match(pattern string, segments []string) (key registry.Key, ok bool) {
	parts := strings.Split(pattern[1:], "/")
	if len(parts) != len(segments) {
		return key, false
	}
	for i, part := range parts {
		if name := nameIn(&key, part); name != nil {
			*name = segments[i]
		} else if part != segments[i] {
			return key, false
		}
	}
	return key, true
}

func nameIn(key *registry.Key, part string) *string {
	switch part {
	case "{realm}":
		return &key.Realm
	case "{service}":
		return &key.Service
	case "{instance}", settingName:
		return &key.Instance
	}
	return nil
}

// validate checks the names that a pattern has. A service or an instance may
// be empty in a match (//), so the pattern tells which are there.
func validate(pattern string, key registry.Key) error {
	var errs registry.FieldErrors
	for part := range strings.SplitSeq(pattern, "/") {
		switch name := nameIn(&key, part); {
		case name == nil:
		case part == settingName:
			errs.Add(registry.ValidateSettingName(*name))
		default:
			errs.Add(registry.ValidateName(strings.Trim(part, "{}"), *name))
		}
	}
	return errs.Err()
}

// handler returns what answers a method; HEAD is GET without the body, which
// net/http leaves out by itself.
func (r route) handler(method string) (handler, error) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h, ok := r.methods[method]; ok {
		return h, nil
	}
	allow := r.allow()
	if method == http.MethodOptions {
		return func(w http.ResponseWriter, _ request) error {
			w.Header().Set("Allow", allow)
			w.WriteHeader(http.StatusNoContent)
			return nil
		}, nil
	}
	return nil, &methodError{allow: allow}
}

func (r route) allow() string {
	methods := []string{http.MethodOptions}
	for m := range r.methods {
		methods = append(methods, m)
		if m == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// A methodError is a method that a path does not have.
type methodError struct{ allow string }

func (e *methodError) Error() string { return "method: must be one of " + e.allow }
