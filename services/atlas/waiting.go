package atlas

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fairlead.dev/registry/protocol"
)

// waiting are the overrides whose instance is not registered, in order. The
// names in them were perhaps mistyped, and nothing else shows them.
func (m *model) waiting(now time.Time) []protocol.WaitingOverride {
	var all []protocol.WaitingOverride
	for k, s := range m.slots {
		if s.record != nil {
			continue
		}
		for _, means := range s.means(now) {
			all = append(all, protocol.WaitingOverride{Key: k, Means: means})
		}
	}
	slices.SortFunc(all, func(a, b protocol.WaitingOverride) int {
		return strings.Compare(a.Key.String()+" "+a.Means, b.Key.String()+" "+b.Means)
	})
	return all
}

// means are what the overrides in force make of an instance. A flag that says
// "enabled" makes nothing of it.
func (s *slot) means(now time.Time) []string {
	var all []string
	if s.flag != nil && !s.flag.Enabled && !s.flag.Expired(now) {
		all = append(all, "disabled")
	}
	if s.drain != nil && s.drain.Drain {
		all = append(all, "draining")
	}
	if s.weight != nil {
		all = append(all, fmt.Sprintf("at weight %d", s.weight.Weight))
	}
	return all
}
