package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead.dev/registry"
)

// What became of an instance, or of what is known of a service, between two
// tables.
const (
	presentEvent    = "present" // it was there when the watch began
	registeredEvent = "registered"
	changedEvent    = "changed"
	goneEvent       = "gone"
)

// A difference is one instance that is not the same in two tables, or, without
// an instance, what is known of a service as a whole.
type difference struct {
	Time     time.Time     `json:"time"`
	Realm    string        `json:"realm"`
	Service  string        `json:"service"`
	Instance string        `json:"instance,omitempty"`
	Event    string        `json:"event"`
	Changes  []fieldChange `json:"changes,omitempty"`
	// Revision is that of the instance's last change; of one that left, the
	// service's.
	Revision registry.Revision `json:"revision"`
}

// A fieldChange tells what one field was and is. Both are text, as the table
// of `fairlead instances` shows them; empty means that there is none.
type fieldChange struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

func (d difference) String() string {
	return fmt.Sprintf("%s  %-10s  %s  %srevision %d",
		d.Time.Local().Format("15:04:05.000"), d.Event, d.subject(), d.details(), d.Revision.Sequence)
}

func (d difference) subject() string {
	if d.Instance == "" {
		return d.Service
	}
	return d.Service + "/" + d.Instance
}

func (d difference) details() string {
	var b strings.Builder
	for _, c := range d.Changes {
		if d.Event == changedEvent {
			fmt.Fprintf(&b, "%s %s → %s  ", c.Field, word(c.From), word(c.To))
		} else {
			fmt.Fprintf(&b, "%s %s  ", c.Field, word(c.To))
		}
	}
	return b.String()
}

// word keeps a value in one piece.
func word(s string) string {
	if strings.ContainsAny(s, " \"") {
		return strconv.Quote(s)
	}
	return dash(s)
}

// differences compares two tables, service by service and instance by
// instance. An instance that only the new one has gets the event given.
func differences(before, after *registry.Table, arrival string) []difference {
	var all []difference
	for _, name := range serviceNames(before, after) {
		was, is := before.Service(name), after.Service(name)
		if was == is {
			continue
		}
		for _, d := range serviceDifferences(was, is, arrival) {
			d.Service, d.Revision.Epoch = name, after.Revision.Epoch
			all = append(all, d)
		}
	}
	return all
}

func serviceNames(tables ...*registry.Table) []string {
	names := map[string]bool{}
	for _, t := range tables {
		for s := range t.Services() {
			names[s.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func serviceDifferences(was, is *registry.Service, arrival string) []difference {
	var all []difference
	if d, differs := metaDifference(was, is, arrival); differs {
		all = append(all, d)
	}
	for _, in := range instancesOf(was) {
		if _, still := is.Instance(in.ID); !still {
			all = append(all, difference{Instance: in.ID, Event: goneEvent, Revision: lastRevision(is)})
		}
	}
	for _, in := range instancesOf(is) {
		if d, differs := instanceDifference(was, in, arrival); differs {
			all = append(all, d)
		}
	}
	slices.SortStableFunc(all, func(a, b difference) int { return cmp.Compare(a.Revision.Sequence, b.Revision.Sequence) })
	return all
}

// metaDifference compares what is known of a service as a whole. Nothing of that
// registers: it is there, or is changed.
func metaDifference(was, is *registry.Service, arrival string) (difference, bool) {
	before, _ := metaOf(was)
	after, revision := metaOf(is)
	d := difference{Event: changedEvent}
	if arrival == presentEvent {
		d.Event = presentEvent
	}
	d.Revision.Sequence = revision
	for _, f := range metaFields {
		if from, to := f.get(&before), f.get(&after); from != to {
			d.Changes = append(d.Changes, fieldChange{f.name, from, to})
		}
	}
	return d, len(d.Changes) > 0
}

func metaOf(s *registry.Service) (m registry.Meta, revision uint64) {
	if s == nil {
		return m, 0
	}
	return s.Meta, s.MetaRevision
}

func instancesOf(s *registry.Service) []registry.Instance {
	if s == nil {
		return nil
	}
	return s.Instances()
}

func lastRevision(s *registry.Service) (r registry.Revision) {
	if s != nil {
		r.Sequence = s.Revision
	}
	return r
}

func instanceDifference(was *registry.Service, in registry.Instance, arrival string) (difference, bool) {
	d := difference{Instance: in.ID, Event: changedEvent}
	d.Revision.Sequence = in.Revision
	old, found := was.Instance(in.ID)
	if !found {
		d.Event = arrival
	}
	d.Changes = fieldChanges(old, in, !found)
	return d, len(d.Changes) > 0
}

// fieldChanges compares what people see of an instance. A new one has only
// those fields that say something.
func fieldChanges(old, in registry.Instance, isNew bool) []fieldChange {
	was, is := fields(old), fields(in)
	var changes []fieldChange
	for i, f := range is {
		from := was[i].To
		if isNew {
			from = ""
		}
		if from != f.To {
			changes = append(changes, fieldChange{f.Field, from, f.To})
		}
	}
	return changes
}

func fields(in registry.Instance) []fieldChange {
	return []fieldChange{
		{Field: "endpoint", To: endpoint(in)},
		{Field: "status", To: string(in.Status)},
		{Field: "enabled", To: strconv.FormatBool(in.Enabled)},
		{Field: "reason", To: in.Reason},
		{Field: "owner", To: in.Owner},
		{Field: "until", To: formatTime(in.Until)},
		{Field: "weight", To: strconv.Itoa(in.Weight)},
		{Field: "version", To: in.Version},
		{Field: "zone", To: in.Zone},
		{Field: "health", To: in.Health},
		{Field: "metadata", To: formatMetadata(in.Metadata)},
		{Field: "incarnation", To: in.Incarnation},
	}
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func formatMetadata(m map[string]string) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, k+"="+m[k])
	}
	return strings.Join(pairs, ",")
}
