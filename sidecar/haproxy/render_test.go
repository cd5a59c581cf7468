package haproxy

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"fairlead.dev/registry"
)

var serverForm = regexp.MustCompile(`^  server [a-z0-9-]+_[0-9a-f.:]+ [0-9a-f.:\[\]]+ weight [0-9]+( disabled)?$`)

var commandForm = regexp.MustCompile(`^(add server s\d+/[a-z0-9-]+_[0-9a-f.:]+ [0-9a-f.:\[\]]+ weight \d+|(set|del) server s\d+/[a-z0-9-]+_[0-9a-f.:]+( (state|weight) [a-z0-9]+)?|(add|set) map services\.map ([a-z0-9-]+|\*) [sna]?[0-9-]+)$`)

// FuzzNames: whatever a registry says, it is servers and entries of the map,
// and nothing else of the configuration or of the commands changes.
func FuzzNames(f *testing.F) {
	f.Add("identity", "a", "10.0.0.7", 5000, 100)
	f.Add("a;shutdown", "a b", "::1", 1, 1)
	f.Add("x\nbackend evil", "i\n  server x 6.6.6.6:1", "fe80::1%eth0", 70000, -1)
	f.Add("*", "'\"$(x)", "10.0.0.7 check", 80, 100000)
	f.Fuzz(func(t *testing.T, service, id, host string, port, weight int) {
		table := registry.NewTable("local", "e").WithInstance(registry.Instance{
			Service: service, ID: id, Scheme: "http", Host: host, Port: port, Weight: weight,
			Enabled: true, Status: registry.Passing, Revision: 1,
		})
		var w wishes
		farms := w.of(table, func(string) (netip.Addr, bool) { return netip.MustParseAddr("10.9.9.9"), true }, nil)
		onlyServers(t, farms)
		commands, err := plan(farms, newModel(2), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commands {
			if !commandForm.MatchString(c.String()) {
				t.Fatalf("a command is %q", c)
			}
		}
	})
}

func onlyServers(t *testing.T, farms []*farm) {
	t.Helper()
	s := structure{realm: "local", doors: []Door{{Network: "tcp", Address: "127.0.0.1:4000"}}, slots: 2, maxConn: 100}
	slots, err := assign(farms, newModel(2))
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := render(s, farms, slots, true)
	if err != nil {
		t.Fatal(err)
	}
	plain, _, err := render(s, nil, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Buffer{}
	for line := range strings.Lines(string(config)) {
		if strings.HasPrefix(line, "  server ") && !strings.HasPrefix(line, "  server sidecar ") {
			if !serverForm.MatchString(strings.TrimSuffix(line, "\n")) {
				t.Fatalf("a server is %q", line)
			}
			continue
		}
		kept.WriteString(line)
	}
	if kept.String() != string(plain) {
		t.Fatalf("the configuration is another one:\n%s", config)
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{`a b`: `'a b'`, `it's`: `'it'\''s'`, "a\nb": `'ab'`, `$x "y" \`: `'$x "y" \'`} {
		if got := quote(text); got != want {
			t.Errorf("%q is quoted %s, want %s", text, got, want)
		}
	}
}

func TestVersionIsChecked(t *testing.T) {
	for said, ok := range map[string]bool{
		"HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/": true,
		"HAProxy version 3.0.0": true, "HA-Proxy version 2.2.9-2 2021": false, "HAProxy version 2.5.14": false,
		"GNU bash, version 5": false, "": false,
	} {
		if err := checkVersion("haproxy", said); (err == nil) != ok {
			t.Errorf("%q: %v", said, err)
		}
	}
}
