package smartservice

import (
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestOptionsPrecedence(t *testing.T) {
	tests := []struct {
		name  string
		code  Options
		env   map[string]string
		flags []string
		field func(Options) any
		want  any
	}{
		{name: "default realm", field: realmOf, want: "local"},
		{name: "code over default", code: Options{Realm: "test"}, field: realmOf, want: "test"},
		{name: "environment over code", code: Options{Realm: "test"}, env: map[string]string{"FAIRLEAD_REALM": "production"}, field: realmOf, want: "production"},
		{name: "flag over environment", env: map[string]string{"FAIRLEAD_REALM": "production"}, flags: []string{"-realm=staging"}, field: realmOf, want: "staging"},
		{name: "default address", field: addrOf, want: "127.0.0.1:0"},
		{name: "PORT replaces the author's port", code: Options{Addr: ":8080"}, env: map[string]string{"PORT": "9000"}, field: addrOf, want: ":9000"},
		{name: "PORT gives way to an address", env: map[string]string{"PORT": "9000", "FAIRLEAD_ADDR": "127.0.0.1:1"}, field: addrOf, want: "127.0.0.1:1"},
		{name: "FAIRLEAD_PORT over PORT and address", env: map[string]string{"PORT": "9000", "FAIRLEAD_ADDR": "[::1]:1", "FAIRLEAD_PORT": "7"}, field: addrOf, want: "[::1]:7"},
		{name: "flag over ports", env: map[string]string{"PORT": "9000", "FAIRLEAD_PORT": "7"}, flags: []string{"-addr", "127.0.0.1:0"}, field: addrOf, want: "127.0.0.1:0"},
		{name: "default delay", field: delayOf, want: time.Second},
		{name: "zero means none", flags: []string{"-drain-delay=0s"}, field: delayOf, want: time.Duration(-1)},
		{name: "weight", env: map[string]string{"FAIRLEAD_WEIGHT": "7"}, field: func(o Options) any { return o.Weight }, want: 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := resolved(tt.code, tt.env, tt.flags)
			if err != nil {
				t.Fatal(err)
			}
			if tt.field(got) != tt.want {
				t.Errorf("got %v, want %v", tt.field(got), tt.want)
			}
		})
	}
}

func realmOf(o Options) any { return o.Realm }
func addrOf(o Options) any  { return o.Addr }
func delayOf(o Options) any { return o.DrainDelay }

func resolved(code Options, env map[string]string, flags []string) (Options, error) {
	a := newApp("identity", code, environment{getenv: func(name string) string { return env[name] }})
	fs := flag.NewFlagSet("identity", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	a.Flags(fs)
	if err := fs.Parse(flags); err != nil {
		return Options{}, err
	}
	return a.resolve()
}

func TestBadSettingsNameTheirSource(t *testing.T) {
	tests := []struct {
		env   map[string]string
		flags []string
		want  string
	}{
		{env: map[string]string{"FAIRLEAD_WEIGHT": "0"}, want: "FAIRLEAD_WEIGHT: must be a whole number from 1 to 1000"},
		{env: map[string]string{"FAIRLEAD_PORT": "70000"}, want: "FAIRLEAD_PORT: must be a port"},
		{env: map[string]string{"FAIRLEAD_DRAIN_DELAY": "soon"}, want: "FAIRLEAD_DRAIN_DELAY: must be a duration"},
		{env: map[string]string{"FAIRLEAD_ADDR": "nowhere", "FAIRLEAD_PORT": "1"}, want: "FAIRLEAD_PORT: "},
		{flags: []string{"-weight", "heavy"}, want: "-weight: must be a whole number"},
		{flags: []string{"-shutdown-timeout", "x"}, want: "-shutdown-timeout: must be a duration"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			_, err := resolved(Options{}, tt.env, tt.flags)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, tt.want)
			}
		})
	}
}

// Operators look variables up in one place.
func TestPageOfTheEnvironment(t *testing.T) {
	page, err := os.ReadFile("../docs/environment.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range knobs() {
		if !strings.Contains(string(page), "`"+k.env+"`") {
			t.Errorf("%s is not in docs/environment.md", k.env)
		}
	}
}

// The flags' help tells what counts without them, the author's word included.
func TestFlagsTellTheirDefaults(t *testing.T) {
	a := newApp("identity", Options{Addr: ":8080", Version: "1.4.2", DrainDelay: -1}, environment{})
	fs := flag.NewFlagSet("identity", flag.ContinueOnError)
	var help strings.Builder
	fs.SetOutput(&help)
	a.Flags(fs)
	fs.PrintDefaults()
	for _, want := range []string{
		"-addr host:port\n    \thost:port to listen on; port 0 picks one (FAIRLEAD_ADDR; default :8080)\n",
		"(FAIRLEAD_REALM; default local)", "(FAIRLEAD_VERSION; default 1.4.2)", "(FAIRLEAD_WEIGHT; default 100)",
		"(FAIRLEAD_DRAIN_DELAY; default 0s)", "(FAIRLEAD_SHUTDOWN_TIMEOUT; default 10s)", "(FAIRLEAD_ZONE)",
	} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &help)
		}
	}
}
