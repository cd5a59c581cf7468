package registry

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// A Flag is an operator's word on whether an instance may be used. It is kept
// apart from the registration, so it survives restarts of the instance and may
// be set before the instance exists. No flag means enabled.
type Flag struct {
	Enabled bool `json:"enabled"`
	// Owner is who set it, Reason is why; both are free text.
	Owner  string `json:"owner,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Until ends the flag by itself; zero means never.
	Until time.Time `json:"until,omitzero"`
}

// A Weight overrides a registration's weight, 1 to 1000.
type Weight struct {
	Weight int    `json:"weight"`
	Owner  string `json:"owner,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// A Drain is an operator's word that an instance gets no new requests.
type Drain struct {
	Drain  bool   `json:"drain"`
	Owner  string `json:"owner,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// DecodeFlag reads `true`, `false` or the JSON object, the forms that a person
// may put by hand.
func DecodeFlag(data []byte) (Flag, error) {
	if b, ok := bareBool(data); ok {
		return Flag{Enabled: b}, nil
	}
	raw := struct {
		Enabled *bool  `json:"enabled"`
		Owner   string `json:"owner"`
		Reason  string `json:"reason"`
		Until   string `json:"until"`
	}{}
	if err := decodeOverride("enabled", data, &raw); err != nil {
		return Flag{}, err
	}
	if raw.Enabled == nil {
		return Flag{}, &FieldError{Field: "enabled", Problem: "must be given, true or false"}
	}
	until, err := parseUntil(raw.Until)
	if err != nil {
		return Flag{}, err
	}
	f := Flag{Enabled: *raw.Enabled, Owner: raw.Owner, Reason: raw.Reason, Until: until}
	return f, f.Validate()
}

func parseUntil(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, &FieldError{Field: "until", Problem: "must be a time like 2030-01-31T18:00:00Z, got " + quote(text)}
	}
	return until, nil
}

// Validate reports every field that is out of bounds.
func (f Flag) Validate() error {
	var errs FieldErrors
	errs.Add(validateWord("owner", f.Owner))
	errs.Add(validateReason(f.Reason))
	return errs.Err()
}

// Expired tells whether the flag has ended by itself.
func (f Flag) Expired(now time.Time) bool { return !f.Until.IsZero() && !now.Before(f.Until) }

// DecodeWeight reads a bare number or the JSON object.
func DecodeWeight(data []byte) (Weight, error) {
	var w Weight
	if n, err := strconv.Atoi(string(bytes.TrimSpace(data))); err == nil {
		w.Weight = n
	} else if err := decodeOverride("weight", data, &w); err != nil {
		return Weight{}, err
	}
	return w, w.Validate()
}

// Validate reports every field that is out of bounds.
func (w Weight) Validate() error {
	var errs FieldErrors
	if w.Weight < 1 || w.Weight > MaxWeight {
		errs.Addf("weight", "must be between 1 and %d, got %d", MaxWeight, w.Weight)
	}
	errs.Add(validateWord("owner", w.Owner))
	errs.Add(validateReason(w.Reason))
	return errs.Err()
}

// DecodeDrain reads `true`, `false` or the JSON object.
func DecodeDrain(data []byte) (Drain, error) {
	if b, ok := bareBool(data); ok {
		return Drain{Drain: b}, nil
	}
	raw := struct {
		Drain  *bool  `json:"drain"`
		Owner  string `json:"owner"`
		Reason string `json:"reason"`
	}{}
	if err := decodeOverride("drain", data, &raw); err != nil {
		return Drain{}, err
	}
	if raw.Drain == nil {
		return Drain{}, &FieldError{Field: "drain", Problem: "must be given, true or false"}
	}
	d := Drain{Drain: *raw.Drain, Owner: raw.Owner, Reason: raw.Reason}
	return d, d.Validate()
}

// Validate reports every field that is out of bounds.
func (d Drain) Validate() error {
	var errs FieldErrors
	errs.Add(validateWord("owner", d.Owner))
	errs.Add(validateReason(d.Reason))
	return errs.Err()
}

const maxReason = 512

func validateReason(s string) error {
	var errs FieldErrors
	if len(s) > maxReason {
		errs.Addf("reason", "must be at most %d characters, has %d", maxReason, len(s))
	}
	if !printable(s) {
		errs.Addf("reason", "must not contain control characters, got %s", quote(s))
	}
	return errs.Err()
}

func bareBool(data []byte) (value, ok bool) {
	switch string(bytes.TrimSpace(data)) {
	case "true", "True":
		return true, true
	case "false", "False":
		return false, true
	}
	return false, false
}

func decodeOverride(field string, data []byte, v any) error {
	if !json.Valid(data) || len(bytes.TrimSpace(data)) == 0 || bytes.TrimSpace(data)[0] != '{' {
		return &FieldError{Field: field, Problem: "must be a bare value or a JSON object, got " + quote(string(data))}
	}
	return DecodeStrict(data, v)
}
