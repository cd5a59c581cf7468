package atlas

import (
	"math"
	"sync/atomic"
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

// A moment is a time of a node's own clock: nanoseconds since it began. It is
// monotonic, so that nobody is judged by a wall clock that was set.
type moment int64

func (m moment) add(d time.Duration) moment        { return m + moment(d) }
func (m moment) since(e moment) time.Duration      { return time.Duration(m - e) }
func (n *Node) moment(at time.Time) moment         { return moment(at.Sub(n.began)) }
func (n *Node) momentNow() moment                  { return n.moment(time.Now()) }
func (l *lease) seen() moment                      { return moment(l.heard.Load()) }
func (l *lease) holds(at moment, terms Terms) bool { return at < l.seen().add(terms.TTL) }

// A lease is what this node knows of one incarnation's signs of life. It is
// in memory only. What is atomic, heartbeats use without asking the owner of
// the state; the rest is the owner's.
type lease struct {
	key registry.Key
	// record is the registration as it is now. Records do not change.
	record atomic.Pointer[record]
	// heard is the moment of the last heartbeat, or when this node began to
	// watch.
	heard atomic.Int64
	// conn is the connection whose closing says something of the instance.
	conn atomic.Pointer[connection]
	// load and sampled serve the bucket that people look at.
	load    atomic.Uint64
	sampled atomic.Bool
	stage   probeStage
	// secondLooks is how often it is still to be probed because its
	// connection closed.
	secondLooks int8
	// closed is when the connection it spoke through was closed.
	closed moment
	// alive is the last sign of life of any kind, a probe's answer too.
	alive moment
	// next is the wheel's.
	next *lease
}

// noteLoad remembers what a heartbeat says of requests in flight and of load,
// in one word.
func (l *lease) noteLoad(inFlight int, load float64) {
	l.load.Store(uint64(uint32(inFlight))<<32 | uint64(math.Float32bits(float32(load))))
}

func (l *lease) lastLoad() (inFlight int, load float64) {
	word := l.load.Load()
	return int(int32(word >> 32)), float64(math.Float32frombits(uint32(word)))
}

// over tells whether a lease is over for somebody of whom a probe found this.
// Silence has to have lasted for a lease since any sign of life: a single probe
// that got no answer says little of an instance that has just answered another.
func (l *lease) over(found outcome, now moment, terms Terms) bool {
	last := l.seen()
	if found == silent {
		last = max(last, l.alive)
	}
	return now.since(last) >= terms.TTL
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

// lives tells whether something answered that may be the instance.
func (o outcome) lives() bool { return o == itself || o == anonymous || o == unwell }

// proves tells whether the instance is proven dead.
func (o outcome) proves() bool { return o == refused || o == another }

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
func nextCheck(seen moment, terms Terms, now moment) moment {
	lateAt, endAt := seen.add(terms.late()), seen.add(terms.TTL)
	switch {
	case now < lateAt:
		return lateAt
	case now < endAt:
		return endAt
	}
	return now.add(terms.Every)
}
