package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
	"fairlead.dev/sidecar/problem"
)

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
	return nil
}

// writeAsOf answers a GET with v as of a revision, or with 304 when the caller
// has that already.
func writeAsOf(w http.ResponseWriter, r request, revision registry.Revision, v any) error {
	tag := etag(revision)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeJSON(w, http.StatusOK, v)
}

func etag(revision registry.Revision) string { return `"` + revision.String() + `"` }

// matches is the weak comparison of RFC 9110 §13.1.2.
func matches(lines []string, tag string) bool {
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
			if one == "*" || one == tag {
				return true
			}
		}
	}
	return false
}

// problemOf says what a caller sees of an error, and whether it is our fault,
// so that the log should have the rest.
func problemOf(err error) (p *problem.Problem, internal bool) {
	var ready *problem.Problem
	var method *methodError
	var token *tokenError
	switch {
	case errors.As(err, &ready):
		return ready, false
	case errors.As(err, &token):
		status, _ := token.challenge()
		return problem.New(status, "unauthorized", token.Error()), false
	case errors.As(err, &method):
		return problem.New(http.StatusMethodNotAllowed, "method-not-allowed", method.Error()), false
	}
	refusal := protocol.NewProblem(err)
	p = problem.New(refusal.Status(), refusal.Code, refusal.Detail)
	p.Errors = refusal.Fields
	if refusal.Code == protocol.CodeUnknown {
		p.Detail += ": register again"
	}
	return p, refusal.Code == protocol.CodeInternal
}

// fail answers with an error.
func (b *Bridge) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, internal := problemOf(err)
	// A caller that gave up is no failure of ours.
	if internal && r.Context().Err() == nil {
		b.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	var method *methodError
	if errors.As(err, &method) {
		w.Header().Set("Allow", method.allow)
	}
	var token *tokenError
	if errors.As(err, &token) {
		_, header := token.challenge()
		w.Header().Set(header, `Bearer realm="fairlead"`)
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	p.Write(w)
}
