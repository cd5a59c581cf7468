package smartclient

// A breadth says how widely a service's instances have to be used.
type breadth int

const (
	// nearby: the client's zone can carry its own requests.
	nearby breadth = iota
	// normal: the candidates of all zones.
	normal
	// panicked: too few are well, so all that may work are used, ejected or not.
	panicked
)

// breadthOf decides by how many are well. Below half, the few that are left
// would get more than twice their share and fail too; and where most fail, the
// reason is hardly a few bad instances (Envoy's and Finagle's panic threshold).
// The same holds of a zone, whose requests then go to other zones as well.
func breadthOf(zoneWell, zone, well, pool int) breadth {
	switch {
	case zone > 0 && 2*zoneWell >= zone:
		return nearby
	case 2*well >= pool:
		return normal
	}
	return panicked
}

// assess looks at how the instances are and sets where picking begins. Whoever
// changed that calls it. It tells whether a panic began or ended.
func (v *view) assess() (changed bool) {
	zoneWell := 0
	if v.zone > 0 {
		zoneWell = v.groups[0].well()
	}
	b := breadthOf(zoneWell, v.zone, v.groups[v.candidates].well(), v.size())
	v.widened.Store(int32([...]int{nearby: 0, normal: v.candidates, panicked: v.pool}[b]))
	if b == panicked {
		v.forgiveAll()
	}
	return v.panicking.Swap(b == panicked) != (b == panicked)
}

// well counts the endpoints that are neither ejected nor failing.
func (g *group) well() (n int) {
	for i := range g.endpoints {
		if l := g.endpoints[i].load; !l.failing() && !l.ejected.away() {
			n++
		}
	}
	return n
}

// forgiveAll takes back every ejection: what goes wrong everywhere is no
// outlier, and half of the capacity must not stay away when it is over.
// Failures in a row stay counted, and make an instance a bad choice.
func (v *view) forgiveAll() {
	for i := range v.all() {
		v.all()[i].load.ejected.recovered()
	}
}
