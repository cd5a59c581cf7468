package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a registration. They keep one instance well below a kilobyte or
// two in every table, and any message far below the bus's payload limit.
const (
	DefaultWeight = 100
	MaxWeight     = 1000

	maxHost          = 253
	maxHealth        = 512
	maxWord          = 128
	maxMetadata      = 32
	maxMetadataValue = 512
	// MaxRegistrationBytes bounds the JSON of a registration.
	MaxRegistrationBytes = 32 << 10
)

// A Registration is what an instance says of itself: where it listens and what
// it is. Host and Port are required. The zero value of every other field has a
// default, which [Registration.WithDefaults] fills in.
type Registration struct {
	// Host is an IP address or a name. Whoever dials resolves a name.
	Host string `json:"host"`
	// Port is the TCP port, 1 to 65535.
	Port int `json:"port"`
	// Scheme is "http" (the default) or "https".
	Scheme string `json:"scheme,omitempty"`
	// Health is the path that Atlas probes when heartbeats are missing. Empty
	// means that a TCP connect has to do.
	Health string `json:"health,omitempty"`
	// Version of the program, as its owner counts.
	Version string `json:"version,omitempty"`
	// Zone is where the instance stands; clients prefer their own.
	Zone string `json:"zone,omitempty"`
	// Weight is the share of requests relative to others, 1 to 1000. The
	// default is 100.
	Weight int `json:"weight,omitempty"`
	// Metadata is carried along untouched.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// WithDefaults returns r with the zero fields that have a default filled in.
func (r Registration) WithDefaults() Registration {
	if r.Scheme == "" {
		r.Scheme = "http"
	}
	if r.Weight == 0 {
		r.Weight = DefaultWeight
	}
	return r
}

// Endpoint returns "scheme://host:port".
func (r Registration) Endpoint() string {
	return r.Scheme + "://" + net.JoinHostPort(r.Host, strconv.Itoa(r.Port))
}

// SameEndpoint tells whether both registrations listen at the same place.
func (r Registration) SameEndpoint(o Registration) bool {
	return r.Scheme == o.Scheme && r.Host == o.Host && r.Port == o.Port
}

// Validate reports every field that is out of bounds, as a [FieldErrors]. It
// expects defaults to be filled in.
func (r Registration) Validate() error {
	var errs FieldErrors
	errs.Add(validateHost(r.Host))
	if r.Port < 1 || r.Port > 65535 {
		errs.Addf("port", "must be between 1 and 65535, got %d", r.Port)
	}
	if r.Scheme != "http" && r.Scheme != "https" {
		errs.Addf("scheme", "must be http or https, got %s", quote(r.Scheme))
	}
	if r.Weight < 1 || r.Weight > MaxWeight {
		errs.Addf("weight", "must be between 1 and %d, got %d", MaxWeight, r.Weight)
	}
	errs.Add(validateHealth(r.Health))
	errs.Add(validateWord("version", r.Version))
	errs.Add(validateWord("zone", r.Zone))
	errs.Add(validateMetadata(r.Metadata))
	return errs.Err()
}

func validateHost(host string) error {
	switch {
	case host == "":
		return &FieldError{Field: "host", Problem: "must not be empty"}
	case len(host) > maxHost:
		return &FieldError{Field: "host", Problem: fmt.Sprintf("must be at most %d characters, has %d", maxHost, len(host))}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return AllowedAddress(addr)
	}
	if !isHostName(strings.TrimSuffix(strings.ToLower(host), ".")) {
		return &FieldError{Field: "host", Problem: "must be an IP address or a host name, got " + quote(host)}
	}
	return nil
}

// isHostName refuses names that end in a number, because many resolvers take
// them for addresses: "169.254.43518" and "2852039166" are both the metadata
// address of clouds.
func isHostName(host string) bool {
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if labelProblem(label) != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	return !strings.HasPrefix(last, "0x") && strings.Trim(last, "0123456789") != ""
}

// AllowedDial checks the "ip:port" that a dialer is about to connect to, as
// [AllowedAddress] checks a registration's own address: a name may resolve to
// anything.
func AllowedDial(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &FieldError{Field: "host", Problem: "must resolve to an IP address, got " + quote(address)}
	}
	return AllowedAddress(to.Addr())
}

// AllowedAddress refuses the addresses that no service listens on but that a
// registration could abuse to make the platform's probes and proxies reach:
// link-local ones, where clouds serve instance metadata, multicast and the
// unspecified address. A name is resolved by whoever dials, so dialers check
// the resolved address again.
func AllowedAddress(addr netip.Addr) error {
	addr = addr.Unmap()
	refused := func(kind string) error {
		return &FieldError{Field: "host", Problem: fmt.Sprintf("must be an address that a service can listen on, got the %s address %s", kind, addr)}
	}
	switch {
	case addr.IsUnspecified():
		return refused("unspecified")
	case addr.IsLinkLocalUnicast():
		return refused("link-local")
	case addr.IsMulticast():
		return refused("multicast")
	case slices.Contains(cloudMetadata, addr):
		return refused("metadata")
	case addr.Zone() != "":
		return refused("zoned")
	case slices.ContainsFunc(notHosts, func(p netip.Prefix) bool { return p.Contains(addr) }) && !addr.IsLoopback():
		return refused("special")
	}
	return nil
}

// notHosts are ranges in which nothing of ours listens: those that carry an
// IPv4 address inside an IPv6 one, by which a refused address could be spelt
// differently, the old site-local range, and the broadcast address.
var notHosts = []netip.Prefix{
	netip.MustParsePrefix("64:ff9b::/96"),    // NAT64, RFC 6052
	netip.MustParsePrefix("64:ff9b:1::/48"),  // the same of one's own, RFC 8215
	netip.MustParsePrefix("::ffff:0:0:0/96"), // translated, RFC 2765
	netip.MustParsePrefix("2001::/32"),       // Teredo, RFC 4380
	netip.MustParsePrefix("2002::/16"),       // 6to4, RFC 3056
	netip.MustParsePrefix("::/96"),           // IPv4-compatible, RFC 4291
	netip.MustParsePrefix("fec0::/10"),       // site-local, RFC 3879
	netip.MustParsePrefix("255.255.255.255/32"),
}

// cloudMetadata are the addresses beyond the link-local ones where clouds
// serve instance metadata.
var cloudMetadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // EC2
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("168.63.129.16"),   // Azure
}

func validateHealth(path string) error {
	switch {
	case path == "":
		return nil
	case path[0] != '/':
		return &FieldError{Field: "health", Problem: "must be a path that begins with '/', got " + quote(path)}
	case len(path) > maxHealth:
		return &FieldError{Field: "health", Problem: fmt.Sprintf("must be at most %d characters, has %d", maxHealth, len(path))}
	case !printable(path) || strings.ContainsAny(path, " #"):
		return &FieldError{Field: "health", Problem: "must not contain spaces, '#' or control characters, got " + quote(path)}
	}
	return nil
}

func validateWord(field, value string) error {
	switch {
	case len(value) > maxWord:
		return &FieldError{Field: field, Problem: fmt.Sprintf("must be at most %d characters, has %d", maxWord, len(value))}
	case !printable(value):
		return &FieldError{Field: field, Problem: "must not contain control characters, got " + quote(value)}
	}
	return nil
}

func validateMetadata(m map[string]string) error {
	var errs FieldErrors
	if len(m) > maxMetadata {
		errs.Addf("metadata", "must have at most %d entries, has %d", maxMetadata, len(m))
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		v := m[k]
		switch {
		case k == "" || len(k) > maxLabel || !printable(k):
			errs.Addf("metadata", "names must be 1 to %d printable characters, got %s", maxLabel, quote(k))
		case len(v) > maxMetadataValue:
			errs.Addf("metadata."+k, "must be at most %d characters, has %d", maxMetadataValue, len(v))
		case !printable(v):
			errs.Addf("metadata."+k, "must not contain control characters, got %s", quote(v))
		}
	}
	return errs.Err()
}

func printable(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// DecodeRegistration reads the JSON that a program or a person sent: unknown
// fields are errors, absent ones get their defaults, and every problem names
// its field. The error is a [*FieldError] or a [FieldErrors].
func DecodeRegistration(data []byte) (Registration, error) {
	r := Registration{}.WithDefaults()
	if err := DecodeStrict(data, &r); err != nil {
		return Registration{}, err
	}
	return r, r.Validate()
}

// DecodeStrict reads exactly one JSON value into v. Unknown fields and
// trailing data are errors; every error is a [*FieldError] that names the
// field, or "body" where the text is not JSON at all.
func DecodeStrict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return decodeError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return &FieldError{Field: "body", Problem: "must be one JSON value, got more after it"}
	}
	return nil
}

// DecodeLenient reads one JSON value into v and ignores fields it does not
// know, as readers on the bus do. Errors are those of [DecodeStrict].
func DecodeLenient(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return decodeError(err)
	}
	return nil
}

func decodeError(err error) *FieldError {
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	unknown, isUnknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &typ) && typ.Field == "metadata" && jsonKind(typ) == "a string":
		return &FieldError{Field: typ.Field, Problem: "must have strings for values, got a JSON " + typ.Value}
	case errors.As(err, &typ) && typ.Field != "":
		return &FieldError{Field: typ.Field, Problem: fmt.Sprintf("must be %s, got a JSON %s", jsonKind(typ), typ.Value)}
	case errors.As(err, &typ):
		return &FieldError{Field: "body", Problem: fmt.Sprintf("must be %s, got a JSON %s", jsonKind(typ), typ.Value)}
	case isUnknown:
		return &FieldError{Field: strings.Trim(unknown, `"`), Problem: "is not a known field"}
	case errors.As(err, &syntax):
		return &FieldError{Field: "body", Problem: fmt.Sprintf("must be JSON: %s at byte %d", syntax, syntax.Offset)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &FieldError{Field: "body", Problem: "must be JSON, got nothing or only a part of it"}
	}
	return &FieldError{Field: "body", Problem: strings.TrimPrefix(err.Error(), "json: ")}
}

func jsonKind(e *json.UnmarshalTypeError) string {
	if e.Type == reflect.TypeFor[Duration]() {
		return wantsDuration
	}
	switch e.Type.Kind().String() {
	case "int", "int64", "uint64":
		return "a whole number"
	case "float64":
		return "a number"
	case "bool":
		return "true or false"
	case "string":
		return "a string"
	case "slice":
		return "an array"
	}
	return "an object"
}
