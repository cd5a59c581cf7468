package registry

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestValidateName(t *testing.T) {
	cases := []struct {
		value, want string // want is a part of the problem, empty for none
	}{
		{"identity", ""},
		{"a", ""},
		{"host001-5000", ""},
		{"0", ""},
		{strings.Repeat("a", 63), ""},
		{"", "empty"},
		{strings.Repeat("a", 64), "at most 63"},
		{strings.Repeat("a", 300), "has 300"},
		{"-a", "begin or end"},
		{"a-", "begin or end"},
		{"Identity", "DNS label"},
		{"a.b", "DNS label"},
		{"*", "DNS label"},
		{">", "DNS label"},
		{"a b", "DNS label"},
		{"a\nb", "DNS label"},
		{"a\x00", "DNS label"},
		{"ünïcode", "DNS label"},
		{"a_b", "DNS label"},
	}
	for _, c := range cases {
		err := ValidateName("service", c.value)
		if c.want == "" {
			if err != nil {
				t.Errorf("%q: %v", c.value, err)
			}
			continue
		}
		var field *FieldError
		if !errors.As(err, &field) || field.Field != "service" || !strings.Contains(field.Problem, c.want) {
			t.Errorf("%q: %v, expected something with %q", c.value, err, c.want)
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\n\r\x00") || len(err.Error()) > 200) {
			t.Errorf("%q: error is not fit for a line: %q", c.value, err)
		}
	}
}

func TestParseKey(t *testing.T) {
	cases := []struct {
		dotted string
		want   Key
		fields []string
	}{
		{"local.identity.a-1", Key{"local", "identity", "a-1"}, nil},
		{"local.identity", Key{}, []string{"key"}},
		{"local.identity.a.1", Key{}, []string{"key"}},
		{"", Key{}, []string{"key"}},
		{"Local.*.>", Key{}, []string{"realm", "service", "instance"}},
		{"local..a", Key{}, []string{"service"}},
	}
	for _, c := range cases {
		k, err := ParseKey(c.dotted)
		if got := fieldsOf(err); !slices.Equal(got, c.fields) {
			t.Errorf("%q: problems with %v, expected %v", c.dotted, got, c.fields)
		}
		if err == nil && (k != c.want || k.Dotted() != c.dotted) {
			t.Errorf("%q: %v", c.dotted, k)
		}
	}
}

// fieldsOf returns the names of the fields that an error complains of.
func fieldsOf(err error) []string {
	var all FieldErrors
	all.Add(err)
	var names []string
	for _, f := range all {
		names = append(names, f.Field)
	}
	return names
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"local.identity.a-1", "a.b", "*.>.", "..", "\x00.\n.é", strings.Repeat("a.", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKey(s)
		switch {
		case err != nil && strings.ContainsAny(err.Error(), "\n\r\x00"):
			t.Errorf("error of several lines: %q", err)
		case err == nil && k.Dotted() != s:
			t.Errorf("%q became %q", s, k.Dotted())
		case err == nil && strings.ContainsAny(s, "*> \t\r\n/"):
			t.Errorf("%q was accepted", s)
		}
	})
}

func TestInstanceID(t *testing.T) {
	tests := []struct {
		host string
		port int
		want string
	}{
		{"host001", 5000, "host001-5000"},
		{"host001.example.org", 5000, "host001-5000"},
		{"Build_Host 7", 80, "build-host-7-80"},
		{"-x-", 1, "x-1"},
		{"", 65535, "host-65535"},
		{"bücher", 1, "b-cher-1"},
		{"日本", 1, "host-1"},
		{strings.Repeat("a", 300), 65535, strings.Repeat("a", 57) + "-65535"},
	}
	for _, tt := range tests {
		got := InstanceID(tt.host, tt.port)
		if got != tt.want {
			t.Errorf("InstanceID(%q, %d) = %q, want %q", tt.host, tt.port, got, tt.want)
		}
		if err := ValidateName("instance", got); err != nil {
			t.Error(err)
		}
	}
}
