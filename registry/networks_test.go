package registry

import (
	"errors"
	"strings"
	"testing"
)

func TestNetworks(t *testing.T) {
	n, err := ParseNetworks("10.0.0.0/8, FD00::/8,192.0.2.7, .Example.org,host001")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"10.0.0.7": true, "11.0.0.7": false, "::ffff:10.0.0.7": true, "127.0.0.1": false,
		"fd00::1": true, "fe00::1": false, "192.0.2.7": true, "192.0.2.8": false,
		"a.example.org": true, "A.B.EXAMPLE.ORG.": true, "example.org": false, "badexample.org": false,
		"example.org.evil.net": false, "host001": true, "host002": false, "10.0.0.0.evil.net": false,
	} {
		err := n.Allow(host)
		var field *FieldError
		if (err == nil) != want || err != nil && (!errors.As(err, &field) || field.Field != "host" || !strings.Contains(field.Problem, "10.0.0.0/8")) {
			t.Errorf("%s: %v, want allowed: %t", host, err, want)
		}
	}
	if err := (Networks{}).Allow("anywhere.example.net"); err != nil {
		t.Errorf("nothing is set: %v", err)
	}
}

func TestNetworksThatMakeNoSense(t *testing.T) {
	for _, text := range []string{"", " ", "10.0.0.0/8,", "10.0.0.0/33", "10.0.0/8", ".", "-a.org", "fe80::1%eth0", "a b", "10.0.0.0/8;fd00::/8", "10.0.0.7/8", "fd00::1/8", "::ffff:10.0.0.0/104"} {
		var field *FieldError
		if _, err := ParseNetworks(text); !errors.As(err, &field) || field.Field != "value" {
			t.Errorf("%q: %v", text, err)
		}
	}
}
