package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// filled returns a command as the environment and a file have it.
func filled(t *testing.T, line, file string, environment map[string]string) (c *cobra.Command, notes string) {
	t.Helper()
	var out bytes.Buffer
	set := &settings{streams: streams{err: &out}}
	root := newRoot(set)
	c, args, err := root.Find(strings.Fields(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	if file != "" {
		set.config = filepath.Join(t.TempDir(), "settings.env")
		if err := os.WriteFile(set.config, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lookup := func(name string) (string, bool) { value, ok := environment[name]; return value, ok }
	if err := set.fillFlags(c, lookup); err != nil {
		t.Fatal(err)
	}
	return c, out.String()
}

func TestWhereFlagsAreLookedUp(t *testing.T) {
	const elsewhere = "127.0.0.1:4001"
	for name, tc := range map[string]struct {
		line, flag, file string
		environment      map[string]string
		want, note       string
	}{
		"a flag over all": {
			line: "sidecar --realm test", flag: "realm", environment: map[string]string{"FAIRLEAD_SIDECAR_REALM": "a", "FAIRLEAD_REALM": "b"}, want: "test",
		},
		"one command's over all commands'": {
			line: "sidecar", flag: "realm", environment: map[string]string{"FAIRLEAD_SIDECAR_REALM": "a", "FAIRLEAD_REALM": "b"}, want: "a",
		},
		"all commands'": {
			line: "services", flag: "realm", environment: map[string]string{"FAIRLEAD_SIDECAR_REALM": "a", "FAIRLEAD_REALM": "b"}, want: "b",
		},
		"the environment over a file": {
			line: "sidecar", flag: "realm", file: "FAIRLEAD_SIDECAR_REALM=a\n", environment: map[string]string{"FAIRLEAD_REALM": "b"}, want: "b",
		},
		"a file": {
			line: "sidecar", flag: "realm", file: "FAIRLEAD_REALM=b\nFAIRLEAD_SIDECAR_REALM=a\n", want: "a",
		},
		"where the sidecar listens": {
			line: "sidecar", flag: "addr", environment: map[string]string{"FAIRLEAD_SIDECAR_ADDR": elsewhere, "FAIRLEAD_ADDR": "127.0.0.1:1"}, want: elsewhere,
		},
		"the same in up":         {line: "up", flag: "sidecar-addr", environment: map[string]string{"FAIRLEAD_SIDECAR_ADDR": elsewhere}, want: elsewhere},
		"the same in explain":    {line: "explain x", flag: "sidecar-addr", environment: map[string]string{"FAIRLEAD_SIDECAR_ADDR": elsewhere}, want: elsewhere},
		"the same in its family": {line: "sidecar status", flag: "addr", environment: map[string]string{"FAIRLEAD_SIDECAR_ADDR": elsewhere}, want: elsewhere},
		"the clients' sidecar is the one to ask": {
			line: "explain x", flag: "sidecar-addr", environment: map[string]string{"FAIRLEAD_SIDECAR": "http://127.0.0.1:4001/"}, want: elsewhere,
		},
		"and says nothing of where one listens": {line: "up", flag: "sidecar-addr", environment: map[string]string{"FAIRLEAD_SIDECAR": elsewhere}, want: "127.0.0.1:4000"},
		"nor that it is to be asked":            {line: "explain x", flag: "sidecar", environment: map[string]string{"FAIRLEAD_SIDECAR": elsewhere}, want: "false"},
		"a former name": {
			line: "sidecar", flag: "addr", environment: map[string]string{"FAIRLEAD_ADDR": elsewhere}, want: elsewhere,
			note: "note: FAIRLEAD_ADDR is taken for --addr, but means something else to others; set FAIRLEAD_SIDECAR_ADDR instead\n",
		},
		"a service's port is no sidecar's":  {line: "sidecar", flag: "port", environment: map[string]string{"FAIRLEAD_PORT": "5000"}, want: "[]"},
		"the registry's data are no body":   {line: "call GET service://x", flag: "data", environment: map[string]string{"FAIRLEAD_DATA": "/var"}, want: ""},
		"a service's name is no permission": {line: "credentials add x", flag: "service", environment: map[string]string{"FAIRLEAD_SERVICE": "x"}, want: "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			c, note := filled(t, tc.line, tc.file, tc.environment)
			if got := c.Flags().Lookup(tc.flag).Value.String(); got != tc.want || note != tc.note {
				t.Errorf("--%s is %q (%q), want %q (%q)", tc.flag, got, note, tc.want, tc.note)
			}
		})
	}
}

// A variable that is looked up for several flags has values of one type:
// otherwise it would mean different things.
func TestVariablesMeanOneThing(t *testing.T) {
	types := map[string]map[string][]string{}
	for _, c := range descendants(newRoot(&settings{})) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" || c.CommandPath() == "fairlead service set" { // which takes flags only
				return
			}
			for _, name := range variables(c, f) {
				if types[name] == nil {
					types[name] = map[string][]string{}
				}
				types[name][f.Value.Type()] = append(types[name][f.Value.Type()], c.CommandPath()+" --"+f.Name)
			}
		})
	}
	for name, uses := range types {
		if len(uses) > 1 {
			t.Errorf("%s is of the types %v: %v", name, slices.Sorted(maps.Keys(uses)), uses)
		}
	}
}

// The page about the environment names only what is looked up, by commands or
// by programs.
func TestPageOfTheEnvironment(t *testing.T) {
	page, err := os.ReadFile("../../docs/environment.md")
	if err != nil {
		t.Fatal(err)
	}
	ofPrograms := []string{"FAIRLEAD_ADVERTISE", "FAIRLEAD_LOG_FORMAT", "FAIRLEAD_LOG_LEVEL", "FAIRLEAD_SHUTDOWN_TIMEOUT", "FAIRLEAD_NATS_USER", "FAIRLEAD_NATS_PASSWORD", "FAIRLEAD_NATS_CREDS"}
	known := flagNames(newRoot(&settings{}))
	for _, name := range regexp.MustCompile(`FAIRLEAD_[A-Z_]*[A-Z]`).FindAllString(string(page), -1) {
		if !known[name] && !slices.Contains(ofPrograms, name) {
			t.Errorf("nobody looks up %s", name)
		}
	}
}
