package architecture

import (
	"slices"
	"strings"
	"testing"
)

// Import graphs that break one rule each, beside the nearest one that is fine.
func TestRulesOnSmallGraphs(t *testing.T) {
	ours := func(path string) string { return module + "/" + path }
	tests := []struct {
		name, path, imported string
		fine                 bool
	}{
		{"the domain imports nothing of ours", "registry", ours("schemas"), false},
		{"nor the bus's client", "registry", natsClient, false},
		{"the standard library is free", "registry", "net/netip", true},
		{"events import nothing of ours", "schemas", ours("registry"), false},
		{"the protocol imports the domain", "registry/protocol", ours("registry"), true},
		{"and nothing else of ours", "registry/protocol", ours("bus"), false},
		{"the bus client may use nats.go", "registry/atlasclient", natsClient + "/jetstream", true},
		{"other sides of the registry may not", "registry/follow", natsClient, false},
		{"nor the bus", "registry/follow", ours("bus"), false},
		{"implementations do not know their siblings", "registry/memory", ours("registry/atlasclient"), false},
		{"nor in the sidecar", "sidecar/builtin", ours("sidecar/haproxy"), false},
		{"nor among the services", "services/atlas", ours("services/bridge"), false},
		{"a service may have packages of its own", "services/atlas", ours("services/atlas/wheel"), true},
		{"which may know each other", "services/atlas/wheel", ours("services/atlas/model"), true},
		{"the sidecar does not know its data planes", "sidecar", ours("sidecar/builtin"), false},
		{"they know it", "sidecar/builtin", ours("sidecar"), true},
		{"the smart client imports the domain", "smartclient", ours("registry"), true},
		{"and not the bus", "smartclient", ours("bus"), false},
		{"nor what wires it", "smartclient", ours("connect"), false},
		{"the wiring uses the bus, not nats.go", "connect", natsClient, false},
		{"the bus is at the bottom", "bus", ours("registry"), false},
		{"only the embedded bus has the server", "bus/embedded", natsServer + "/server", true},
		{"not the bus itself", "bus", natsServer + "/server", false},
		{"not a service", "services/atlas", natsServer + "/server", false},
		{"the command may import anything of ours", "cmd/fairlead", ours("services/atlas"), true},
		{"but leaves nats.go to others", "cmd/fairlead", natsClient, false},
		{"examples import what is public", "examples/identity", ours("smartservice"), true},
		{"not the platform's services", "examples/identity", ours("services/atlas"), false},
		{"not what is internal", "examples/identity", ours("internal/architecture"), false},
		{"a name that only begins alike is another package", "smartclient", ours("registryx"), false},
		{"a new package has to be placed", "elsewhere", "fmt", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := violations(pkg{path: tt.path, imports: []string{tt.imported}}, rules)
			if fine := len(found) == 0; fine != tt.fine {
				t.Errorf("%s importing %s: fine is %t, want %t %v", tt.path, tt.imported, fine, tt.fine, found)
			}
		})
	}
}

func TestLimitsOnSmallGraphs(t *testing.T) {
	tests := []struct {
		forbidden, deps, want []string
	}{
		{[]string{natsServer}, []string{"fmt", natsClient, natsServer + "/server"}, []string{natsServer + "/server"}},
		{[]string{natsServer}, []string{"fmt", natsClient}, nil},
		{[]string{"."}, []string{"vendor/golang.org/x/net/dns", "net/http"}, nil},
		{[]string{"."}, []string{"golang.org/x/sync/errgroup", "net/http"}, []string{"golang.org/x/sync/errgroup"}},
	}
	for _, tt := range tests {
		if got := (limit{forbidden: tt.forbidden}).excess(tt.deps); !slices.Equal(got, tt.want) {
			t.Errorf("%v without %v has %v too many, want %v", tt.deps, tt.forbidden, got, tt.want)
		}
	}
}

func TestVagueNames(t *testing.T) {
	for path, want := range map[string]bool{"bus/util": true, "common/x": true, "utility": false, "registry": false} {
		if got := isVague(path); got != want {
			t.Errorf("%s: vague is %t, want %t", path, got, want)
		}
	}
}

func TestFindingsInSmallFiles(t *testing.T) {
	// Put together from halves, so that this file is not itself a finding.
	todo, sleep, skip := "TO"+"DO", "time.Sl"+"eep(1)", "t.Sk"+"ip()"
	tests := []struct {
		name, file, body, want string
	}{
		{"a test that sleeps", "a_test.go", sleep, "sleeps"},
		{"a test in virtual time", "a_test.go", "synctest.Test(t, func(t *testing.T) { " + sleep + " })", ""},
		{"a test that skips there", "a_test.go", "synctest.Test(t, func(t *testing.T) { " + skip + " })", "skips"},
		{"a test beside virtual time", "a_test.go", "synctest.Test(t, nil)\n" + sleep, "sleeps"},
		{"a contract suite that sleeps", "registry/registrytest/suite.go", sleep, "sleeps"},
		{"a program may wait", "a.go", sleep, ""},
		{"a test that skips", "a_test.go", skip, "skips"},
		{"a suite that skips", "suite.go", skip, "skips"},
		{"another thing's method", "a_test.go", "reader.Sk" + "ip()", ""},
		{"work left for later", "a.go", "// " + todo + ": all of it", "later"},
		{"the word in a string", "a.go", `print("` + todo + `")`, ""},
		{"a good file", "a_test.go", "t.Fatal(1)", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source := "package x\n\nfunc f() {\n" + tt.body + "\n}\n"
			found, err := findings(tt.file, []byte(source))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(found, "\n")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}
