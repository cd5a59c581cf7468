package registry

import "time"

// A Record is everything a registry holds of one instance: what it said of
// itself, what operators said of it, and how it fares.
type Record struct {
	Key          Key
	Registration Registration
	Incarnation  string
	Status       Status
	Since        time.Time

	// Overrides; nil where none is set.
	Flag   *Flag
	Weight *Weight
	Drain  *Drain
}

// View folds the record into what routers see at a moment: a flag that has
// ended by itself counts no more. The revision is the caller's to fill in.
func (r Record) View(now time.Time) Instance {
	reg := r.Registration
	in := Instance{
		Service: r.Key.Service, ID: r.Key.Instance,
		Scheme: reg.Scheme, Host: reg.Host, Port: reg.Port,
		Health: reg.Health, Version: reg.Version, Zone: reg.Zone,
		Weight: reg.Weight, Metadata: reg.Metadata,
		Incarnation: r.Incarnation, Status: r.Status, Since: r.Since,
		Enabled: true,
	}
	if r.Weight != nil {
		in.Weight = r.Weight.Weight
	}
	if r.Drain != nil && r.Drain.Drain {
		in.Status = Draining
	}
	if r.Flag != nil && !r.Flag.Expired(now) {
		in.Enabled = r.Flag.Enabled
		in.Owner, in.Reason, in.Until = r.Flag.Owner, r.Flag.Reason, r.Flag.Until
	}
	if r.Drain != nil && r.Drain.Drain && in.Enabled {
		in.Owner, in.Reason, in.Until = r.Drain.Owner, r.Drain.Reason, time.Time{}
	}
	return in
}
