package atlas

import (
	"time"

	"fairlead.dev/registry"
)

// Terms are how long leases last and how often heartbeats are due.
type Terms struct {
	Every time.Duration
	TTL   time.Duration
}

// DefaultTerms: three heartbeats fit in a lease, so two may be lost.
var DefaultTerms = Terms{Every: 2 * time.Second, TTL: 6 * time.Second}

// late is how long after the last sign of life an instance is probed: two
// heartbeats and a quarter are overdue then.
func (t Terms) late() time.Duration { return t.Every*2 + t.Every/4 }

// A lease is what this node knows of one incarnation's signs of life. It is
// in memory only.
type lease struct {
	key         registry.Key
	incarnation string
	// seen is the last heartbeat, or when this node began to watch; alive is
	// the last sign of life of any kind, a probe's answer too.
	seen, alive time.Time
	probing     bool
	// secondLooks is how often it is still to be probed because its
	// connection closed.
	secondLooks int
	// due is the wheel's slot that holds the lease now.
	due time.Time
}

// An outcome is what a probe found.
type outcome int

const (
	// itself answered with the identity that is registered.
	itself outcome = iota
	// another identity answered: the registered one is dead.
	another
	// anonymous answered well, without an identity.
	anonymous
	// unwell answered with a status other than 2xx.
	unwell
	// refused: nothing listens there.
	refused
	// silent: no answer in time.
	silent
)

func (o outcome) String() string {
	return [...]string{"answered as itself", "another identity answered", "answered without an identity",
		"answered with an error", "connection refused", "no answer"}[o]
}

// A verdict is what to do with an instance after a probe.
type verdict int

const (
	keep verdict = iota
	suspect
	evict
)

// judge decides after a probe. It follows the lease's life: proof of death
// evicts; silence evicts only once the lease is over; an answer without
// identity keeps the instance as a suspect, and only once the lease is over,
// because until then its heartbeat may just be late.
func judge(found outcome, leaseOver bool) verdict {
	switch found {
	case itself:
		return keep
	case another, refused:
		return evict
	case silent:
		if leaseOver {
			return evict
		}
		return suspect
	}
	if leaseOver {
		return suspect
	}
	return keep
}

// nextCheck returns when a lease has to be looked at again: when its
// heartbeats are late, when it ends, and from then on at every heartbeat's
// pace for as long as only probes keep it listed.
func nextCheck(l *lease, terms Terms, now time.Time) time.Time {
	lateAt, endAt := l.seen.Add(terms.late()), l.seen.Add(terms.TTL)
	switch {
	case now.Before(lateAt):
		return lateAt
	case now.Before(endAt):
		return endAt
	}
	return now.Add(terms.Every)
}
