package roster

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
)

const full = `# a comment
name: greeting
port: 5001
host: 10.0.0.7
instance: host001-5001
health: /health
check:
  command: [/usr/bin/check, -q]
  interval: 2s
  timeout: 500ms
  rise: 2
  fall: 3
tags: [blue, canary]
version: 1.10
zone: a
weight: 50
metadata: {git: 9c2f1d, build: 12}
`

func TestParse(t *testing.T) {
	spec, err := parse([]byte(full), "local")
	if err != nil {
		t.Fatal(err)
	}
	if want := (registry.Key{Realm: "local", Service: "greeting", Instance: "host001-5001"}); spec.Key != want {
		t.Errorf("the key is %v", spec.Key)
	}
	reg := spec.Registration
	metadata := map[string]string{"git": "9c2f1d", "build": "12", "tags": "blue,canary"}
	if reg.Host != "10.0.0.7" || reg.Port != 5001 || reg.Scheme != "http" || reg.Health != "/health" || reg.Version != "1.10" ||
		reg.Zone != "a" || reg.Weight != 50 || !maps.Equal(reg.Metadata, metadata) {
		t.Errorf("the registration is %+v", reg)
	}
	check := spec.Check
	if !slices.Equal(check.Command, []string{"/usr/bin/check", "-q"}) || check.Interval != 2*time.Second ||
		check.Timeout != 500*time.Millisecond || check.Rise != 2 || check.Fall != 3 {
		t.Errorf("the check is %+v", check)
	}
}

func TestParseFillsInWhatIsLeftOpen(t *testing.T) {
	spec, err := parse([]byte("name: greeting\nport: 5001"), "local")
	if err != nil {
		t.Fatal(err)
	}
	if spec.Registration.Host != "127.0.0.1" || !strings.HasSuffix(spec.Key.Instance, "-5001") || spec.Check.Interval != time.Second {
		t.Errorf("got %+v", spec)
	}
}

func TestProblemsNameLineAndField(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "is empty, must declare a service by name and port"},
		{"no YAML", "name: greeting\nport: [", "line 2: must be YAML: did not find expected node content"},
		{"a text alone", "greeting", "line 1: must be a mapping of fields to values"},
		{"no name", "port: 5001", "name: must be given"},
		{"no port", "name: greeting", "port: must be given"},
		{"unknown field", "name: greeting\nprot: 5001", "line 2: prot: is no field of a service"},
		{"unknown field of the check", "name: a\ncheck:\n  intervall: 1s", "line 3: check.intervall: is no field of a service"},
		{"twice", "name: greeting\nport: 1\nport: 2", "line 3: port: must be given once"},
		{"port is a text", "name: greeting\nport: http", "line 2: port: must be a whole number above 0"},
		{"port out of range", "name: greeting\n\nport: 70000", "line 3: port: must be"},
		{"name is no label", "name: Green Ting\nport: 1", "line 1: name: must be"},
		{"name is nothing", "name:\nport: 1", "line 1: name: must be a text"},
		{"weight of none", "name: a\nport: 1\nweight: 0", "line 3: weight: must be a whole number above 0"},
		{"interval without a unit", "name: a\nport: 1\ncheck:\n  interval: 5", "line 4: check.interval: must be a duration such as 2s or 500ms"},
		{"interval too short", "name: a\nport: 1\ncheck:\n  interval: 1ms", "line 4: check.interval: must be between"},
		{"check is a text", "name: a\nport: 1\ncheck: /health", "line 3: check: must be a mapping"},
		{"command is a text", "name: a\nport: 1\ncheck:\n  command: pg_isready", "line 4: check.command: must be a list of texts"},
		{"tags as a text", "name: a\nport: 1\ntags: blue", "line 3: tags: must be a list of texts"},
		{"a tag with a comma", "name: a\nport: 1\ntags: ['a,b']", `line 3: tags: must be texts without a comma, got "a,b"`},
		{"tags twice", "name: a\nport: 1\ntags: [a]\nmetadata: {tags: b}", "line 3: tags: must not be in the metadata too"},
		{"metadata is a list", "name: a\nport: 1\nmetadata: [a]", "line 3: metadata: must be a mapping of names to texts"},
		{"health is no path", "name: a\nport: 1\nhealth: status", "line 3: health: must"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse([]byte(tt.text), "local")
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s…", err, tt.want)
			}
		})
	}
}

// What a file declares is fit to be registered, or the file has a problem.
func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("name: a\nport: 1\ncheck: {command: [x]}"))
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		spec, err := parse(text, "local")
		if err == nil && spec.Validate() != nil {
			t.Errorf("%q is accepted: %v", text, spec.Validate())
		}
	})
}
