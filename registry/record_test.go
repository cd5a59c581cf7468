package registry

import (
	"testing"
	"time"
)

func TestView(t *testing.T) {
	now := time.Date(2030, 1, 31, 18, 0, 0, 0, time.UTC)
	base := Record{
		Key:          Key{"local", "identity", "a"},
		Registration: Registration{Host: "10.0.0.7", Port: 5000}.WithDefaults(),
		Incarnation:  "life-1", Status: Warning,
	}
	cases := []struct {
		name   string
		change func(*Record)
		usable bool
		want   func(Instance) bool
	}{
		{"as registered", func(*Record) {}, true, func(i Instance) bool { return i.Weight == DefaultWeight && i.Status == Warning }},
		{"a weight", func(r *Record) { r.Weight = &Weight{Weight: 7} }, true, func(i Instance) bool { return i.Weight == 7 }},
		{"drained", func(r *Record) { r.Drain = &Drain{Drain: true} }, false, func(i Instance) bool { return i.Status == Draining }},
		{"drained, and why", func(r *Record) {
			r.Drain, r.Flag = &Drain{Drain: true, Owner: "ana", Reason: "kernel"}, &Flag{Enabled: true, Owner: "bob", Until: now.Add(1)}
		}, false, func(i Instance) bool { return i.Owner == "ana" && i.Reason == "kernel" && i.Until.IsZero() }},
		{"disabled and drained", func(r *Record) { r.Drain, r.Flag = &Drain{Drain: true, Reason: "kernel"}, &Flag{Reason: "disk"} }, false,
			func(i Instance) bool { return i.Reason == "disk" }},
		{"a drain that says no", func(r *Record) { r.Drain = &Drain{} }, true, func(i Instance) bool { return i.Status == Warning }},
		{"disabled", func(r *Record) { r.Flag = &Flag{Reason: "disk"} }, false, func(i Instance) bool { return i.Reason == "disk" }},
		{"enabled by a flag", func(r *Record) { r.Flag = &Flag{Enabled: true, Owner: "ana"} }, true, func(i Instance) bool { return i.Owner == "ana" }},
		{"disabled until now", func(r *Record) { r.Flag = &Flag{Reason: "disk", Until: now} }, true, func(i Instance) bool { return i.Reason == "" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := base
			c.change(&r)
			if in := r.View(now); in.Usable() != c.usable || !c.want(in) {
				t.Errorf("view %+v", in)
			}
		})
	}
}
