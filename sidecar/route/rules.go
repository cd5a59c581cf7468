package route

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"fairlead.dev/registry"
)

// Follow returns the service that gets a request for another one with these
// rules: of the first rule that matches one of its split, by weight, or the
// service itself if none does. draw returns a number from 0 to below n.
func Follow(rules []registry.Rule, service string, r *http.Request, draw func(n int) int) string {
	if len(rules) == 0 {
		return service
	}
	path := r.URL.EscapedPath()
	for _, rule := range rules {
		if Matches(rule, path, r.Header) {
			return pick(rule.Split, service, draw)
		}
	}
	return service
}

// Matches tells whether a rule is for a request with a path, as it is sent,
// and a header.
func Matches(rule registry.Rule, path string, h http.Header) bool {
	return below(path, rule.PathPrefix) && hasLine(h, rule.Header)
}

// below tells whether a path begins with all segments of a prefix. Nothing is
// decoded or cleaned first: the service would not do it in the same way.
func below(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" || rest[0] == '/' || prefix == "" || prefix == "/")
}

func hasLine(h http.Header, line registry.HeaderMatch) bool {
	return line.Name == "" || slices.Contains(h[textproto.CanonicalMIMEHeaderKey(line.Name)], line.Value)
}

// pick draws one of a split. A split of weights that make no sense, which
// validation refuses, is as good as none.
func pick(split []registry.Share, service string, draw func(n int) int) string {
	sum := 0
	for _, share := range split {
		sum += share.Weight
	}
	if sum <= 0 {
		return service
	}
	at := draw(sum)
	for _, share := range split {
		if at -= share.Weight; at < 0 {
			return share.Service
		}
	}
	return service
}
