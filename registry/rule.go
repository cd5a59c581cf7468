package registry

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of rules, which travel in every table.
const (
	maxRules       = 16
	maxSplit       = 8
	maxPathPrefix  = 256
	maxHeaderName  = 64
	maxHeaderValue = 256
	maxShare       = 100
)

// A Rule sends some of the requests for a service to other services: all below
// a path, all with a header, a part of them, or what is all of this.
//
//	{"path_prefix":"/search","split":[{"service":"finder","weight":100}]}
//	{"split":[{"service":"identity","weight":95},{"service":"identity-next","weight":5}]}
//
// Proxies, which are sidecars and the bridge, follow the rules of the service
// that a request names. The first rule that matches counts; if none does the
// request goes to the service itself. The rules of a rule's target are not
// followed.
type Rule struct {
	// PathPrefix is the beginning of the request's path as it was sent, whole
	// segments of it: /users is in /users and /users/1, not in /users-old.
	// Empty means any path.
	PathPrefix string `json:"path_prefix,omitempty"`
	// Header is what one of the request's header lines must be; zero means
	// that none need be there.
	Header HeaderMatch `json:"header,omitzero"`
	// Split says which services share the requests.
	Split []Share `json:"split"`
}

// A HeaderMatch is one header line: a name in any spelling, and a value that
// is compared as a whole.
type HeaderMatch struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Share is one service's part of the requests: its weight in the sum of the
// weights of the split.
type Share struct {
	Service string `json:"service"`
	Weight  int    `json:"weight"` // 0 to 100
}

func validateRules(rules []Rule) error {
	var errs FieldErrors
	if len(rules) > maxRules {
		errs.Addf("rules", "must be at most %d, got %d", maxRules, len(rules))
	}
	for i, r := range rules {
		errs.Add(r.validate(fmt.Sprintf("rules[%d]", i)))
	}
	return errs.Err()
}

func (r Rule) validate(field string) error {
	var errs FieldErrors
	errs.Add(validatePathPrefix(field+".path_prefix", r.PathPrefix))
	if r.Header != (HeaderMatch{}) {
		errs.Add(r.Header.validate(field + ".header"))
	}
	errs.Add(validateSplit(field+".split", r.Split))
	return errs.Err()
}

func validatePathPrefix(field, path string) error {
	switch {
	case path == "":
		return nil
	case path[0] != '/':
		return &FieldError{Field: field, Problem: "must begin with '/', got " + quote(path)}
	case len(path) > maxPathPrefix:
		return &FieldError{Field: field, Problem: fmt.Sprintf("must be at most %d characters, has %d", maxPathPrefix, len(path))}
	case strings.ContainsFunc(path, notInPath):
		return &FieldError{Field: field, Problem: "must consist of letters, digits and /-._~:@+=, got " + quote(path)}
	case hasDots(path):
		return &FieldError{Field: field, Problem: "must not have empty segments nor . and .., got " + quote(path)}
	}
	return nil
}

// notInPath leaves out what has a meaning elsewhere: to a proxy's
// configuration, or because one character can be written in several ways.
func notInPath(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("/-._~:@+=", r) }

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func hasDots(path string) bool {
	segments := strings.Split(strings.TrimSuffix(path[1:], "/"), "/")
	return path != "/" && slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." })
}

// notToMatch are headers that speak to one hop, and those that a proxy reads
// or writes itself: a rule could not mean the same everywhere.
var notToMatch = []string{
	"connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
	"expect", "host", "via", "forwarded", "fairlead-service",
}

func (m HeaderMatch) validate(field string) error {
	var errs FieldErrors
	switch name := strings.ToLower(m.Name); {
	case m.Name == "":
		errs.Addf(field+".name", "must not be empty")
	case len(m.Name) > maxHeaderName:
		errs.Addf(field+".name", "must be at most %d characters, has %d", maxHeaderName, len(m.Name))
	case strings.ContainsFunc(m.Name, func(r rune) bool { return !isAlphanumeric(r) && r != '-' && r != '_' }):
		errs.Addf(field+".name", "must consist of letters, digits, '-' and '_', got %s", quote(m.Name))
	case slices.Contains(notToMatch, name), strings.HasPrefix(name, "x-forwarded-"):
		errs.Addf(field+".name", "must not be a header that proxies read or write, got %s", quote(m.Name))
	}
	switch {
	case m.Value == "":
		errs.Addf(field+".value", "must not be empty")
	case len(m.Value) > maxHeaderValue:
		errs.Addf(field+".value", "must be at most %d characters, has %d", maxHeaderValue, len(m.Value))
	case strings.TrimSpace(m.Value) != m.Value, strings.ContainsFunc(m.Value, notInValue):
		errs.Addf(field+".value", "must be printable ASCII without quotes, backslashes and blanks around it, got %s", quote(m.Value))
	}
	return errs.Err()
}

func notInValue(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"'\`, r) }

func validateSplit(field string, split []Share) error {
	var errs FieldErrors
	if n := len(split); n == 0 || n > maxSplit {
		errs.Addf(field, "must have 1 to %d services, has %d", maxSplit, n)
		return errs.Err()
	}
	sum, seen := 0, map[string]bool{}
	for i, s := range split {
		at := fmt.Sprintf("%s[%d]", field, i)
		errs.Add(ValidateName(at+".service", s.Service))
		if seen[s.Service] {
			errs.Addf(at+".service", "must differ from those before, got %s twice", quote(s.Service))
		}
		if s.Weight < 0 || s.Weight > maxShare {
			errs.Addf(at+".weight", "must be between 0 and %d, got %d", maxShare, s.Weight)
		}
		sum, seen[s.Service] = sum+s.Weight, true
	}
	if len(errs) == 0 && sum == 0 {
		errs.Addf(field, "must have a weight above 0")
	}
	return errs.Err()
}
