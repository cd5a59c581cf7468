package registry

import (
	"fmt"
	"strconv"
	"strings"
)

// maxLabel is the longest DNS label (RFC 1035 §2.3.4).
const maxLabel = 63

// A Key names one instance of one service in one realm. Each part is a
// lower-case DNS label, so a key can stand in a bus subject, a KV key, a URL
// path and a host name without any escaping.
type Key struct {
	Realm    string `json:"realm"`
	Service  string `json:"service"`
	Instance string `json:"instance"`
}

// String returns "realm/service/instance", the form people read.
func (k Key) String() string { return k.Realm + "/" + k.Service + "/" + k.Instance }

// Dotted returns "realm.service.instance", the form subjects and KV keys use.
func (k Key) Dotted() string { return k.Realm + "." + k.Service + "." + k.Instance }

// Validate reports every part that is not a DNS label, as a [FieldErrors].
func (k Key) Validate() error {
	var errs FieldErrors
	errs.Add(ValidateName("realm", k.Realm))
	errs.Add(ValidateName("service", k.Service))
	errs.Add(ValidateName("instance", k.Instance))
	return errs.Err()
}

// ParseKey reads the dotted form.
func ParseKey(dotted string) (Key, error) {
	parts := strings.Split(dotted, ".")
	if len(parts) != 3 {
		return Key{}, &FieldError{Field: "key", Problem: fmt.Sprintf("must be realm.service.instance, got %s", quote(dotted))}
	}
	k := Key{Realm: parts[0], Service: parts[1], Instance: parts[2]}
	return k, k.Validate()
}

// ValidateName checks that value is a lower-case DNS label (RFC 1123 §2.1):
// 1 to 63 characters, a to z, 0 to 9 and '-', with no '-' at either end. The
// error is a [*FieldError] that carries the field's name.
func ValidateName(field, value string) error {
	problem := labelProblem(value)
	if problem == "" {
		return nil
	}
	return &FieldError{Field: field, Problem: problem + ", got " + quote(value)}
}

func labelProblem(s string) string {
	switch {
	case s == "":
		return "must not be empty"
	case len(s) > maxLabel:
		return fmt.Sprintf("must be at most %d characters, has %d", maxLabel, len(s))
	case s[0] == '-' || s[len(s)-1] == '-':
		return "must not begin or end with '-'"
	}
	for _, c := range []byte(s) {
		if !isLabelByte(c) {
			return "must be a DNS label of a-z, 0-9 and '-'"
		}
	}
	return ""
}

func isLabelByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-'
}

// InstanceID makes the id that a copy has unless it is given one: the first
// label of its host's name, in what a DNS label may contain, and the port.
func InstanceID(hostname string, port int) string {
	suffix := "-" + strconv.Itoa(port)
	label, _, _ := strings.Cut(strings.ToLower(hostname), ".")
	label = strings.Map(toLabel, label)
	label = strings.Trim(label[:min(len(label), maxLabel-len(suffix))], "-")
	if label == "" {
		label = "host"
	}
	return label + suffix
}

func toLabel(r rune) rune {
	if r <= 'z' && isLabelByte(byte(r)) {
		return r
	}
	return '-'
}

// quote shortens and escapes what a stranger sent, so that it can stand in a
// one-line message or a log.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
