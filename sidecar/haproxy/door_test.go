package haproxy

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestDoorsAreDescribed(t *testing.T) {
	doors := []Door{
		{Network: "tcp", Address: "127.0.0.1:4000"}, {Network: "tcp", Address: "[::1]:4100", Service: "identity"},
		{Network: "unix", Address: "/run/a b,c;d@e/s"},
	}
	got, fit := described(describe(doors), doors)
	if !fit || !slices.Equal(got, doors) {
		t.Errorf("%s was read as %v", describe(doors), got)
	}
}

func TestDoorsFitOthers(t *testing.T) {
	main := Door{Network: "tcp", Address: "127.0.0.1:4000"}
	any := Door{Network: "tcp", Address: "127.0.0.1:0", Service: "identity"}
	for _, c := range []struct {
		name string
		text string
		want []Door
		fit  bool
	}{
		{"the same", "127.0.0.1:4000", []Door{main}, true},
		{"another port", "127.0.0.1:4001", []Door{main}, false},
		{"any port", "127.0.0.1:4000;identity@127.0.0.1:4100", []Door{main, any}, true},
		{"any port of another service", "127.0.0.1:4000;orders@127.0.0.1:4100", []Door{main, any}, false},
		{"any port elsewhere", "127.0.0.1:4000;identity@127.0.0.2:4100", []Door{main, any}, false},
		{"one more", "127.0.0.1:4000", []Door{main, any}, false},
		{"one less", "127.0.0.1:4000;identity@127.0.0.1:4100", []Door{main}, false},
		{"a socket", "127.0.0.1:4000;unix:%2Fs", []Door{main, {Network: "unix", Address: "/s"}}, true},
		{"another socket", "127.0.0.1:4000;unix:%2Ft", []Door{main, {Network: "unix", Address: "/s"}}, false},
		{"rubbish", "127.0.0.1:4000;unix:%", []Door{main, {Network: "unix", Address: "%"}}, false},
	} {
		if _, fit := described(c.text, c.want); fit != c.fit {
			t.Errorf("%s: %v", c.name, fit)
		}
	}
}

// TestDoorsOutliveTheSidecar: HAProxy answers at them without one, and the next
// sidecar finds them.
func TestDoorsOutliveTheSidecar(t *testing.T) {
	opts := options(t)
	path := filepath.Join(opts.Data, "s")
	opts.Keep, opts.Doors = true, []Door{{Network: "unix", Address: path}, {Network: "tcp", Address: "127.0.0.1:0", Service: "identity"}}
	first := run(t, opts)
	first.set(serving(t, "identity", "a"))
	addr, own := first.Status().Addr, first.Status().Doors[1]
	first.end()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if got := first.getAt(own); got != "a" {
		t.Errorf("without a sidecar the own port answers %s", got)
	}
	opts.Addr, opts.Keep = addr, false
	second := run(t, opts)
	if s := second.Status(); !s.Adopted || s.Starts != 0 || s.Doors[1] != own {
		t.Errorf("status is %+v", s)
	}
	second.end()
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left")
	}
}

func TestFull(t *testing.T) {
	opts := options(t)
	opts.MaxConnections = 1
	l := run(t, opts)
	if l.Full() {
		t.Error("without a connection it is full")
	}
	conn, err := net.Dial("tcp", l.Status().Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	within(t, "its being full", patience, l.Full)
}
