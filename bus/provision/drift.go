package provision

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// change is one setting that differs.
type change struct {
	field      string // its name in the server's JSON
	have, want any
}

// changes are in the order of their fields' names.
type changes []change

func (c changes) String() string {
	parts := make([]string, len(c))
	for i, d := range c {
		parts[i] = fmt.Sprintf("%s: %v instead of %v", d.field, d.have, d.want)
	}
	return strings.Join(parts, ", ")
}

// adopt takes over what is for the operator, not for us, to decide.
func adopt(have, want jetstream.StreamConfig, keepReplicas bool) jetstream.StreamConfig {
	want.Placement = have.Placement
	want.Metadata = have.Metadata
	want.Compression = have.Compression
	// Once messages may have an end of their own, no server takes that back: a
	// node must not fail to start because a later one has turned it on.
	want.AllowMsgTTL = want.AllowMsgTTL || have.AllowMsgTTL
	if keepReplicas {
		want.Replicas = have.Replicas
	}
	return want
}

// drift compares two configurations as the server sees them, field by field.
func drift(have, want jetstream.StreamConfig) (changes, error) {
	haveFields, err := fields(have)
	if err != nil {
		return nil, err
	}
	wantFields, err := fields(want)
	if err != nil {
		return nil, err
	}
	return compare(haveFields, wantFields), nil
}

func compare(have, want map[string]any) changes {
	all := maps.Clone(have)
	maps.Copy(all, want)
	var found changes
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if !reflect.DeepEqual(have[field], want[field]) {
			found = append(found, change{field, have[field], want[field]})
		}
	}
	return found
}

// fields leaves out what is absent or zero, which mean the same to the server.
func fields(config jetstream.StreamConfig) (map[string]any, error) {
	raw, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("compare configuration: %w", err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("compare configuration: %w", err)
	}
	maps.DeleteFunc(all, func(_ string, value any) bool { return isZero(value) })
	return all, nil
}

func isZero(value any) bool {
	object, ok := value.(map[string]any)
	return value == nil || reflect.ValueOf(value).IsZero() || ok && len(object) == 0
}
