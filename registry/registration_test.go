package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestDecodeRegistration(t *testing.T) {
	long := strings.Repeat("x", 600)
	cases := []struct {
		name, text string
		problem    string // "field: part of the problem", empty for none
	}{
		{"all fields", `{"host":"10.0.0.7","port":5000,"scheme":"https","health":"/health/ready","version":"1.4.2","zone":"a","weight":7,"metadata":{"git":"4f"}}`, ""},
		{"the least", `{"host":"host001.example.com.","port":1}`, ""},
		{"a name in upper case", `{"host":"HOST001","port":65535}`, ""},
		{"IPv6", `{"host":"::1","port":5000}`, ""},
		{"nothing", ``, "body: must be JSON"},
		{"a part", `{"host":`, "body: must be JSON"},
		{"no JSON", `host: a`, "body: must be JSON"},
		{"null", `null`, "host: must not be empty"},
		{"an array", `[]`, "body: must be an object, got a JSON array"},
		{"two values", `{"host":"a","port":1}{}`, "body: must be one JSON value"},
		{"an unknown field", `{"host":"a","port":1,"colour":"red"}`, "colour: is not a known field"},
		{"a port of words", `{"host":"a","port":"5000"}`, "port: must be a whole number, got a JSON string"},
		{"a port with a fraction", `{"host":"a","port":1.5}`, "port: must be a whole number"},
		{"port 0", `{"host":"a","port":0}`, "port: must be between 1 and 65535, got 0"},
		{"port 70000", `{"host":"a","port":70000}`, "port: must be between 1 and 65535, got 70000"},
		{"no host", `{"port":1}`, "host: must not be empty"},
		{"a host that is a URL", `{"host":"http://a","port":1}`, "host: must be an IP address or a host name"},
		{"a host with a port", `{"host":"a:80","port":1}`, "host: must be an IP address or a host name"},
		{"a host with a newline", `{"host":"a\nb","port":1}`, "host: must be an IP address or a host name"},
		{"a long host", `{"host":"` + long + `","port":1}`, "host: must be at most 253"},
		{"everywhere", `{"host":"0.0.0.0","port":1}`, "host: must be an address that a service can listen on, got the unspecified"},
		{"link-local", `{"host":"169.254.169.254","port":80}`, "host: must be an address that a service can listen on, got the link-local"},
		{"link-local in IPv6 clothes", `{"host":"::ffff:169.254.169.254","port":80}`, "host: must be an address"},
		{"link-local IPv6", `{"host":"fe80::1%eth0","port":80}`, "host: must be an address"},
		{"metadata of EC2", `{"host":"fd00:ec2::254","port":80}`, "host: must be an address"},
		{"metadata of Alibaba", `{"host":"100.100.100.200","port":80}`, "host: must be an address"},
		{"multicast", `{"host":"224.0.0.1","port":80}`, "host: must be an address"},
		{"a short form of an address", `{"host":"169.254.43518","port":80}`, "host: must be an IP address or a host name"},
		{"an address as a number", `{"host":"2852039166","port":80}`, "host: must be an IP address or a host name"},
		{"an address in hex", `{"host":"0xa9fea9fe","port":80}`, "host: must be an IP address or a host name"},
		{"an address in octal", `{"host":"0251.0376.0251.0376","port":80}`, "host: must be an IP address or a host name"},
		{"scheme", `{"host":"a","port":1,"scheme":"ftp"}`, "scheme: must be http or https"},
		{"weight 0", `{"host":"a","port":1,"weight":0}`, "weight: must be between 1 and 1000, got 0"},
		{"weight 1001", `{"host":"a","port":1,"weight":1001}`, "weight: must be between"},
		{"a relative health path", `{"host":"a","port":1,"health":"ready"}`, "health: must be a path that begins with '/'"},
		{"a health path of two lines", `{"host":"a","port":1,"health":"/a\r\nHost: b"}`, "health: must not contain"},
		{"a long health path", `{"host":"a","port":1,"health":"/` + long + `"}`, "health: must be at most"},
		{"a version with an escape", `{"host":"a","port":1,"version":"\u001b[2J"}`, "version: must not contain control"},
		{"a zone with a C1 control", `{"host":"a","port":1,"zone":"\u009b2J"}`, "zone: must not contain control"},
		{"metadata without a name", `{"host":"a","port":1,"metadata":{"":"x"}}`, "metadata: names must be"},
		{"long metadata", `{"host":"a","port":1,"metadata":{"k":"` + long + `"}}`, "metadata.k: must be at most 512"},
		{"metadata of numbers", `{"host":"a","port":1,"metadata":{"k":1}}`, "metadata: must have strings for values, got a JSON number"},
		{"too much metadata", `{"host":"a","port":1,"metadata":` + manyEntries(33) + `}`, "metadata: must have at most 32"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := DecodeRegistration([]byte(c.text))
			if c.problem == "" {
				if err != nil {
					t.Fatal(err)
				}
				if r.Scheme == "" || r.Weight == 0 {
					t.Errorf("defaults are missing: %+v", r)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), c.problem) {
				t.Fatalf("error %v, expected %q", err, c.problem)
			}
			if strings.ContainsAny(err.Error(), "\n\r\x1b") || len(fieldsOf(err)) == 0 {
				t.Errorf("error is not fit for a line: %q", err)
			}
		})
	}
}

func manyEntries(n int) string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprint("k", i)] = ""
	}
	text, _ := json.Marshal(m)
	return string(text)
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	_, err := DecodeRegistration([]byte(`{"host":"","port":0,"scheme":"x","weight":-1,"health":"x"}`))
	if got, want := fieldsOf(err), []string{"host", "port", "scheme", "weight", "health"}; !slices.Equal(got, want) {
		t.Errorf("problems with %v, expected %v", got, want)
	}
}

func TestFieldErrorsAreFoundWithErrorsAs(t *testing.T) {
	var all FieldErrors
	all.Add(nil)
	if all.Err() != nil {
		t.Error("no problem is an error")
	}
	all.Addf("port", "must be %d", 1)
	all.Add(fmt.Errorf("wrapped: %w", &FieldError{Field: "host", Problem: "bad"}))
	all.Add(errors.New("something else"))
	var found FieldErrors
	if err := fmt.Errorf("register: %w", all.Err()); !errors.As(err, &found) || found.Error() != "port: must be 1; host: bad; input: something else" {
		t.Errorf("found %v", found)
	}
}

func FuzzDecodeRegistration(f *testing.F) {
	for _, s := range []string{
		`{"host":"10.0.0.7","port":5000,"metadata":{"git":"4f"}}`, `{"host":"::1","port":1}`, `{`, `null`, `[]`, `{"port":1e9}`,
		`{"host":"a","port":1,"colour\n":1}`, "{\"host\":\"\xff\",\"port\":1}", `{"host":"a","port":1,"metadata":{"\u0000":""}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRegistration(data)
		if err != nil {
			if len(fieldsOf(err)) == 0 || strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error is not fit for a line: %q", err)
			}
			return
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeRegistration(text)
		if err != nil {
			t.Errorf("%s was accepted, %s was not: %v", data, text, err)
		}
		if !again.SameEndpoint(r) {
			t.Errorf("%+v became %+v", r, again)
		}
	})
}

func TestAllowedDial(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "10.0.0.7:5000": true,
		"169.254.169.254:80": false, "[fe80::1]:80": false, "0.0.0.0:80": false, "224.0.0.1:80": false, "name:80": false, "": false,
		"[64:ff9b::a9fe:a9fe]:80": false, "[2002:a9fe:a9fe::1]:80": false, "[::169.254.169.254]:80": false,
		"[64:ff9b:1::a9fe:a9fe]:80": false, "[::ffff:0:169.254.169.254]:80": false, "[2001::5601:5601]:80": false, "[2001:db8::1]:80": true,
		"[fec0::1]:80": false, "255.255.255.255:80": false, "168.63.129.16:80": false, "[fd00::7]:80": true,
	} {
		if err := AllowedDial(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}
