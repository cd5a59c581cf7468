package architecture

import (
	"fmt"
	"slices"
	"strings"
)

const (
	module     = "fairlead.dev"
	natsClient = "github.com/nats-io/nats.go"
	natsServer = "github.com/nats-io/nats-server/v2"
)

// A rule says what a package may import. Paths are relative to the module and
// may end in a wildcard: "x/*" are the packages below x, each of which may
// import its own subtree but none of the others' unless they are named;
// "x/..." is x and everything below it.
type rule struct {
	pkg     string
	imports []string
	// client and server allow nats.go and nats-server to be imported directly.
	client, server bool
}

// The first rule that matches counts.
var rules = []rule{
	{pkg: "schemas"},
	{pkg: "schemas/*", imports: []string{"schemas"}},

	{pkg: "registry"},
	{pkg: "registry/protocol/plainjson"},
	{pkg: "registry/protocol", imports: []string{"registry", "registry/protocol/plainjson"}},
	{pkg: "registry/atlasclient", imports: []string{"registry", "registry/protocol", "bus"}, client: true},
	{pkg: "registry/*", imports: []string{"registry", "registry/protocol"}},

	{pkg: "bus", imports: []string{"schemas"}, client: true},
	{pkg: "bus/embedded", imports: []string{"bus", "bus/provision"}, client: true, server: true},
	{pkg: "bus/*", imports: []string{"bus", "schemas"}, client: true},

	{pkg: "access", imports: []string{"bus", "registry", "registry/protocol"}},

	{pkg: "smartclient/...", imports: []string{"registry", "smartclient/..."}},
	{pkg: "connect", imports: []string{"bus", "registry/...", "smartclient/..."}},
	{pkg: "smartservice/...", imports: []string{"schemas", "bus", "registry/...", "smartclient/...", "connect", "smartservice/..."}},

	{pkg: "sidecar", imports: []string{"registry", "smartclient/...", "sidecar/problem"}},
	{pkg: "sidecar/problem", imports: []string{"registry"}},
	{pkg: "sidecar/route", imports: []string{"registry", "sidecar/problem"}},
	{pkg: "sidecar/httpserver", imports: []string{"registry", "sidecar/problem"}},
	{pkg: "sidecar/attend", imports: []string{"registry", "registry/registrar"}},
	{pkg: "sidecar/roster", imports: []string{"registry", "sidecar/attend"}},
	{pkg: "sidecar/planetest", imports: []string{"registry", "sidecar", "sidecar/problem"}},
	{pkg: "sidecar/takeover"},
	{pkg: "sidecar/nameserver", imports: []string{"registry"}},
	{pkg: "sidecar/*", imports: []string{"registry", "smartclient/...", "sidecar", "sidecar/problem", "sidecar/route", "sidecar/httpserver"}},

	{pkg: "services/*", client: true, imports: []string{
		"schemas/...", "access", "bus/...", "registry/...", "smartclient/...", "connect", "smartservice/...", "sidecar/...",
	}},
	{pkg: "cmd/*", server: true, imports: []string{"..."}},
	{pkg: "examples/*", imports: []string{
		"schemas", "bus", "registry/...", "smartclient/...", "connect", "smartservice/...",
	}},
	{pkg: "internal/acceptance"},
	{pkg: "internal/architecture"},
	{pkg: "internal/logtest"},
	{pkg: "internal/history", imports: []string{"registry"}},
}

// pkg is what a rule looks at: a package's path relative to the module, and
// what it imports, in full.
type pkg struct {
	path    string
	imports []string
}

// violations returns what is wrong with a package's imports, one line each.
func violations(p pkg, rules []rule) []string {
	i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.pkg, p.path) })
	if i < 0 {
		return []string{p.path + " is in no rule: decide what it may import"}
	}
	var wrong []string
	for _, imported := range p.imports {
		if !allowed(rules[i], p.path, imported) {
			wrong = append(wrong, fmt.Sprintf("%s imports %s, which its rule does not allow", p.path, imported))
		}
	}
	return wrong
}

func allowed(r rule, importer, imported string) bool {
	ours, isOurs := strings.CutPrefix(imported, module+"/")
	switch {
	case within(imported, natsClient):
		return r.client
	case within(imported, natsServer):
		return r.server
	case !isOurs:
		return true
	case isOwn(r.pkg, importer, ours):
		return true
	}
	return slices.ContainsFunc(r.imports, func(pattern string) bool { return matches(pattern, ours) })
}

// isOwn tells whether a path is in the folder that belongs to the importer
// alone: for a rule "services/*" and services/atlas/wheel it is services/atlas.
func isOwn(pattern, importer, path string) bool {
	parent, isWildcard := strings.CutSuffix(pattern, "/*")
	if !isWildcard {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(importer, parent+"/"), "/")
	return within(path, parent+"/"+name)
}

func matches(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	if parent, ok := strings.CutSuffix(pattern, "/*"); ok {
		return path != parent && within(path, parent)
	}
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return within(path, root)
	}
	return path == pattern
}

// within tells whether a path is root or below it.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// vague are names that say nothing of what is inside, so everything ends up
// there.
var vague = []string{"base", "common", "helper", "helpers", "misc", "models", "shared", "util", "utils"}

func isVague(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(name string) bool { return slices.Contains(vague, name) })
}

// A limit says what must be in none of a package's dependencies, however
// indirect.
type limit struct {
	pkg       string
	forbidden []string
	why       string
}

var limits = []limit{
	{"schemas", []string{"."}, "it is for everybody, so it needs the standard library only"},
	{"registry", []string{"."}, "the domain is pure"},
	{"registry/protocol", []string{natsClient, natsServer}, "other transports speak it too"},
	{"smartclient", []string{natsClient, natsServer}, "it takes any source of tables"},
	{"connect", []string{natsServer}, "a client's program must not carry a server"},
	{"smartservice", []string{natsServer}, "a service's program must not carry a server"},
}

// excess returns those of a package's dependencies that its limit forbids. A
// forbidden "." stands for everything outside the standard library.
func (l limit) excess(deps []string) []string {
	return slices.DeleteFunc(slices.Clone(deps), func(dep string) bool {
		return !slices.ContainsFunc(l.forbidden, func(root string) bool {
			if root == "." {
				return isThirdParty(dep)
			}
			return within(dep, root)
		})
	})
}

// isThirdParty relies on the standard library having no dot in its first
// element, except in what it vendors.
func isThirdParty(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}
