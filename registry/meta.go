package registry

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A ServiceKey names one service in one realm.
type ServiceKey struct {
	Realm   string `json:"realm"`
	Service string `json:"service"`
}

// String returns "realm/service", the form people read.
func (k ServiceKey) String() string { return k.Realm + "/" + k.Service }

// Dotted returns "realm.service", the form subjects and KV keys use.
func (k ServiceKey) Dotted() string { return k.Realm + "." + k.Service }

// Validate reports every part that is not a DNS label, as a [FieldErrors].
func (k ServiceKey) Validate() error {
	var errs FieldErrors
	errs.Add(ValidateName("realm", k.Realm))
	errs.Add(ValidateName("service", k.Service))
	return errs.Err()
}

// ServiceKey returns the service that an instance belongs to.
func (k Key) ServiceKey() ServiceKey { return ServiceKey{k.Realm, k.Service} }

// Limits of metadata, which travels in every table.
const (
	maxDescription = 1024
	maxURL         = 512
	maxTags        = 16
	maxTimeout     = time.Hour
	// minTimeout is less than any call takes; a slip like 500us for 500ms would
	// have all calls fail.
	minTimeout = time.Millisecond
)

// Meta is what is known of a service as a whole, whichever instances it has:
// for people, and in Policy for whoever calls it. The zero value is what a
// service has of which nothing was said, so setting it says nothing and no
// metadata at all mean the same.
//
// It is a value; holders must not change the Tags and Rules that they share.
type Meta struct {
	// Owner is the team or the person to ask.
	Owner       string `json:"owner,omitempty"`
	Description string `json:"description,omitempty"`
	// Repository is the URL of the source.
	Repository string `json:"repository,omitempty"`
	// OpenAPI is the URL of the service's description, or its path on every
	// instance.
	OpenAPI string `json:"openapi,omitempty"`
	// Health is the path at which instances tell how they are, for people and
	// tools. What the registry probes is each registration's own.
	Health string   `json:"health,omitempty"`
	Tags   []string `json:"tags,omitempty"`
	Policy Policy   `json:"policy,omitzero"`
	// Rules send requests for the service elsewhere; the first that matches
	// counts. Proxies follow them.
	Rules []Rule `json:"rules,omitempty"`
}

// DecodeMeta reads metadata as a program or a person wrote it: unknown fields
// are errors, and every problem names its field.
func DecodeMeta(data []byte) (Meta, error) {
	var m Meta
	if err := DecodeStrict(data, &m); err != nil {
		return Meta{}, err
	}
	return m, m.Validate()
}

// Validate reports every field that is out of bounds, as a [FieldErrors].
func (m Meta) Validate() error {
	var errs FieldErrors
	errs.Add(validateWord("owner", m.Owner))
	errs.Add(validateDescription(m.Description))
	errs.Add(validateURL("repository", m.Repository, "https", "http", "ssh", "git"))
	errs.Add(validateOpenAPI(m.OpenAPI))
	errs.Add(validateHealth(m.Health))
	errs.Add(validateTags(m.Tags))
	errs.Add(m.Policy.Validate())
	errs.Add(validateRules(m.Rules))
	return errs.Err()
}

// IsZero tells whether nothing is said.
func (m Meta) IsZero() bool {
	said := len(m.Tags) + len(m.Rules)
	m.Tags, m.Rules = nil, nil
	return said == 0 && reflect.ValueOf(m).IsZero()
}

// CheckExpected returns ErrRevision unless metadata that stands at a revision
// is what its writer expects to replace: nil expects anything, the sequence
// zero that nothing is said.
func (m Meta) CheckExpected(expect *Revision, at Revision) error {
	switch {
	case expect == nil, *expect == at:
		return nil
	case expect.Epoch == at.Epoch && expect.Sequence == 0 && m.IsZero():
		return nil
	}
	return fmt.Errorf("%w: the metadata is at %s, not at %s", ErrRevision, at, expect)
}

// Hash returns a hash of what is said of a service, zero of nothing. It is
// added to those of the service's instances.
func (m Meta) Hash(service string) uint64 {
	if m.IsZero() {
		return 0
	}
	// A struct of strings, numbers and durations always encodes.
	text, _ := json.Marshal(m)
	h := fnv.New64a()
	_, _ = h.Write([]byte(service + "\x00"))
	_, _ = h.Write(text)
	return h.Sum64()
}

// A Duration is a time.Duration that is written as people do: "1.5s".
type Duration time.Duration

// notADuration is what text that makes no sense is read as: a decoder could
// not say in which field it stood, Validate can.
const notADuration Duration = -1

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It takes any text;
// Validate of what holds the duration finds what was none.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if *d = Duration(parsed); err != nil || parsed <= 0 {
		*d = notADuration
	}
	return nil
}

const wantsDuration = "a duration such as 500ms or 2s"

func (d Duration) validate(field string) error {
	if d != 0 && (d < Duration(minTimeout) || d > Duration(maxTimeout)) {
		return &FieldError{Field: field, Problem: fmt.Sprintf("must be %s, at least %s and at most %s", wantsDuration, minTimeout, maxTimeout)}
	}
	return nil
}

func validateDescription(s string) error {
	switch {
	case len(s) > maxDescription:
		return &FieldError{Field: "description", Problem: fmt.Sprintf("must be at most %d characters, has %d", maxDescription, len(s))}
	case !printable(s):
		return &FieldError{Field: "description", Problem: "must not contain control characters, got " + quote(s)}
	}
	return nil
}

// validateURL also refuses users and passwords: every table has what is said
// here.
func validateURL(field, value string, schemes ...string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	switch {
	case len(value) > maxURL:
		return &FieldError{Field: field, Problem: fmt.Sprintf("must be at most %d characters, has %d", maxURL, len(value))}
	case err != nil, !printable(value), !slices.Contains(schemes, u.Scheme), u.Host == "":
		return &FieldError{Field: field, Problem: fmt.Sprintf("must be a URL with the scheme %s, got %s", strings.Join(schemes, ", "), quote(value))}
	}
	if _, secret := u.User.Password(); secret {
		return &FieldError{Field: field, Problem: "must not have a password in it"}
	}
	return nil
}

func validateOpenAPI(value string) error {
	if !strings.HasPrefix(value, "/") {
		return validateURL("openapi", value, "https", "http")
	}
	if len(value) > maxURL || !printable(value) || strings.ContainsAny(value, " #") || strings.HasPrefix(value, "//") {
		return &FieldError{Field: "openapi", Problem: "must be a URL, or a path of at most " + fmt.Sprint(maxURL) + " characters, got " + quote(value)}
	}
	return nil
}

func validateTags(tags []string) error {
	var errs FieldErrors
	if len(tags) > maxTags {
		errs.Addf("tags", "must be at most %d, got %d", maxTags, len(tags))
	}
	seen := map[string]bool{}
	for _, tag := range tags {
		errs.Add(ValidateName("tags", tag))
		if seen[tag] {
			errs.Addf("tags", "must differ, got %s twice", quote(tag))
		}
		seen[tag] = true
	}
	return errs.Err()
}
