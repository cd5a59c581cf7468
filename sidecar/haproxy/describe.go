package haproxy

import "fairlead.dev/sidecar"

// Describe tells of HAProxy in the words that all data planes share.
func (p *Plane) Describe() sidecar.PlaneStatus {
	s := p.Status()
	return sidecar.PlaneStatus{Kind: "haproxy", Starts: s.Starts, Reloads: s.Reloads, Last: s.Last, Why: s.Why, Repairs: s.Repairs, Problem: s.Problem, Warning: s.Warning}
}
