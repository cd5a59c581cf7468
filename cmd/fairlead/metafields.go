package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"fairlead.dev/registry"
)

// A metaField is a part of the metadata as a flag and as a line. Setting text
// that makes no sense is an error; clearing is setting the empty text.
type metaField struct {
	name, usage string
	get         func(*registry.Meta) string
	set         func(*registry.Meta, string) error
}

var metaFields = []metaField{
	textField("owner", "team or person to ask", func(m *registry.Meta) *string { return &m.Owner }),
	textField("description", "what the service is for", func(m *registry.Meta) *string { return &m.Description }),
	textField("repository", "URL of the source", func(m *registry.Meta) *string { return &m.Repository }),
	textField("openapi", "URL of its OpenAPI document, or the path on every instance", func(m *registry.Meta) *string { return &m.OpenAPI }),
	textField("health", "path at which instances tell how they are", func(m *registry.Meta) *string { return &m.Health }),
	{"tags", "tags, with commas between them", getTags, setTags},
	{"attempts", "policy: how often a request is tried at most", getAttempts, setAttempts},
	durationField("call-timeout", "policy: how long a call may take, all attempts together", func(m *registry.Meta) *registry.Duration { return &m.Policy.Timeout }),
	durationField("try-timeout", "policy: how long one attempt may take", func(m *registry.Meta) *registry.Duration { return &m.Policy.TryTimeout }),
	{"rules", "where proxies send requests for the service, as a JSON array of rules", getRules, setRules},
	boolField("hedge", "policy: callers send an idempotent request that is slow to another instance too", func(m *registry.Meta) *bool { return &m.Policy.Hedge }),
	boolField("idempotency-key", "policy: a POST or PATCH with an Idempotency-Key may be repeated", func(m *registry.Meta) *bool { return &m.Policy.IdempotencyKey }),
	boolField("route-override", "policy: callers that know how may route single requests elsewhere", func(m *registry.Meta) *bool { return &m.Policy.RouteOverride }),
}

func metaNames() (names []string) {
	for _, f := range metaFields {
		names = append(names, f.name)
	}
	return names
}

func textField(name, usage string, at func(*registry.Meta) *string) metaField {
	return metaField{name, usage, func(m *registry.Meta) string { return *at(m) },
		func(m *registry.Meta, value string) error { *at(m) = value; return nil }}
}

func durationField(name, usage string, at func(*registry.Meta) *registry.Duration) metaField {
	return metaField{name, usage, func(m *registry.Meta) string {
		if *at(m) == 0 {
			return ""
		}
		return at(m).String()
	}, func(m *registry.Meta, value string) error {
		if *at(m) = 0; value == "" {
			return nil
		}
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return usagef("--%s: must be a duration above zero, like 500ms or 2s, got %q", name, value)
		}
		*at(m) = registry.Duration(d)
		return nil
	}}
}

func boolField(name, usage string, at func(*registry.Meta) *bool) metaField {
	return metaField{name, usage + " (true or false)", func(m *registry.Meta) string {
		if !*at(m) {
			return ""
		}
		return "true"
	}, func(m *registry.Meta, value string) error {
		switch value {
		case "true", "false", "":
			*at(m) = value == "true"
			return nil
		}
		return usagef("--%s: must be true or false, got %q", name, value)
	}}
}

func getTags(m *registry.Meta) string { return strings.Join(m.Tags, ",") }

func setTags(m *registry.Meta, value string) error {
	if m.Tags = nil; value != "" {
		m.Tags = strings.Split(value, ",")
	}
	return nil
}

func getAttempts(m *registry.Meta) string {
	if m.Policy.Attempts == 0 {
		return ""
	}
	return strconv.Itoa(m.Policy.Attempts)
}

func setAttempts(m *registry.Meta, value string) error {
	if m.Policy.Attempts = 0; value == "" {
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return usagef("--attempts: must be a whole number above zero, got %q", value)
	}
	m.Policy.Attempts = n
	return nil
}

func getRules(m *registry.Meta) string {
	if len(m.Rules) == 0 {
		return ""
	}
	// Rules are strings and numbers, so they always encode.
	text, _ := json.Marshal(m.Rules)
	return string(text)
}

func setRules(m *registry.Meta, value string) error {
	if m.Rules = nil; value == "" {
		return nil
	}
	if err := registry.DecodeStrict([]byte(value), &m.Rules); err != nil {
		return usagef("--rules: %w", err)
	}
	return nil
}
