package route

import (
	"context"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"fairlead.dev/registry"
)

// Asked is what rules look at: the service that a request names, its path as
// it is sent, and its header.
type Asked struct {
	Service, Path string
	Header        http.Header
}

// Follow returns the service that gets a request for another one with these
// rules: of the first rule that matches one of its split, by weight, or the
// service itself if none does. draw returns a number from 0 to below n.
func Follow(rules []registry.Rule, asked Asked, draw func(n int) int) string {
	first := First(rules, asked)
	if first < 0 {
		return asked.Service
	}
	return pick(rules[first].Split, asked.Service, draw)
}

// First returns the place of the rule that counts, the first one that matches,
// or -1 if none does.
func First(rules []registry.Rule, asked Asked) int {
	return slices.IndexFunc(rules, func(rule registry.Rule) bool { return Matches(rule, asked.Path, asked.Header) })
}

// Rules returns those of a service, which need not have instances for that. It
// waits as the resolver does, and fails only where there is no rule either.
func Rules(ctx context.Context, resolver registry.Resolver, service string) ([]registry.Rule, error) {
	s, err := resolver.Resolve(ctx, service)
	if err == nil {
		return s.Meta.Rules, nil
	}
	if followed, ok := resolver.(registry.Watcher); ok {
		table, _ := followed.Table()
		if s := table.Service(service); s != nil && len(s.Meta.Rules) > 0 {
			return s.Meta.Rules, nil
		}
	}
	return nil, err
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
