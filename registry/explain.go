package registry

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Facts are what Atlas alone knows of one instance, beside what tables have.
// Times that have passed are told as ages, because clocks differ.
type Facts struct {
	Instance string `json:"instance"`
	// Registered is false where only overrides wait for the instance.
	Registered bool `json:"registered"`
	// RegisteredBy is the user and the connection, Via the go-between.
	RegisteredBy string `json:"registered_by,omitempty"`
	Via          string `json:"via,omitempty"`
	// Reported is the instance's own word of its status.
	Reported Status `json:"reported,omitempty"`
	// HeartbeatAgeMS is how long ago the answering node heard the instance, or
	// began to listen; LeaseLeftMS how long the lease still lasts, below zero
	// if it is over.
	HeartbeatAgeMS int64 `json:"heartbeat_age_ms,omitempty"`
	LeaseLeftMS    int64 `json:"lease_left_ms,omitempty"`
	// SuspectSince is when Atlas began to doubt, Cause why it last changed its
	// mind, Held why it does not give the instance up all the same.
	SuspectSince time.Time `json:"suspect_since,omitzero"`
	Cause        string    `json:"cause,omitempty"`
	Held         string    `json:"held,omitempty"`

	// Overrides as they are set, with who set them and why.
	Flag   *Flag   `json:"flag,omitempty"`
	Weight *Weight `json:"weight,omitempty"`
	Drain  *Drain  `json:"drain,omitempty"`
}

// ServiceFacts are the facts of one service as of a revision.
type ServiceFacts struct {
	Revision Revision `json:"revision"`
	// Settling is true while the answering node does not judge leases yet.
	Settling bool `json:"settling,omitempty"`
	// Instances are sorted by id. Omitted counts those that an answer had no
	// room for.
	Instances []Facts `json:"instances"`
	Omitted   int     `json:"omitted,omitempty"`
}

// An Explainer tells what Atlas alone knows. The errors are those of [Atlas].
type Explainer interface {
	Facts(ctx context.Context, key ServiceKey) (ServiceFacts, error)
}

// Local is what one client alone knows of an instance.
type Local struct {
	// Rank orders the instances by preference: a request goes to the lowest
	// rank that has one not ejected.
	Rank int `json:"rank"`
	// Ejected tells that the client set the instance aside after failures, for
	// the time that BackInMS tells; below zero, the next request tries it.
	Ejected  bool  `json:"ejected,omitempty"`
	BackInMS int64 `json:"back_in_ms,omitempty"`
	// Failures in a row, and requests in flight.
	Failures int `json:"failures,omitempty"`
	InFlight int `json:"in_flight,omitempty"`
}

// Evidence is all that an explanation rests on; only Table is required.
type Evidence struct {
	Realm   string
	Service string
	// Table is where requests are routed by, and Now when it is looked at.
	Table *Table
	Now   time.Time
	// Facts are Atlas's, nil if it was not asked or did not answer.
	Facts *ServiceFacts
	// Local is one client's view by instance, nil if nobody's is asked for.
	Local map[string]Local
}

// An Explanation says which instances of a service get requests, and why the
// others do not.
type Explanation struct {
	Realm    string      `json:"realm"`
	Service  string      `json:"service"`
	Revision Revision    `json:"revision"`
	Source   TableSource `json:"source"`
	// AgeMS is how long ago the table was confirmed.
	AgeMS int64 `json:"age_ms"`
	// Verdict is one line on the service; In counts the instances that get
	// requests.
	Verdict   string      `json:"verdict"`
	In        int         `json:"in"`
	Instances []Explained `json:"instances"`
	// Rules send some of the requests for the service elsewhere, by proxies.
	Rules []Rule `json:"rules,omitempty"`
	// Facts is false where Atlas did not answer, so that only what the table
	// has is known; Omitted as in [ServiceFacts].
	Facts   bool `json:"facts"`
	Omitted int  `json:"omitted,omitempty"`
	// Problem is why no instance gets requests, for programs: one of the
	// Problem constants, or empty.
	Problem string `json:"problem,omitempty"`
}

// Why no instance of a service gets requests.
const (
	ProblemNoSuchService = "no-such-service"
	ProblemNoneEnabled   = "none-enabled"
	ProblemNeverSeen     = "never-seen"
)

// Err is nil if an instance gets requests, else [ErrNoSuchService],
// [ErrNoneEnabled] or [ErrNeverSeen].
func (x Explanation) Err() error {
	switch x.Problem {
	case ProblemNoSuchService:
		return ErrNoSuchService
	case ProblemNoneEnabled:
		return ErrNoneEnabled
	case ProblemNeverSeen:
		return ErrNeverSeen
	}
	return nil
}

// Explained is one instance in an explanation.
type Explained struct {
	Instance string   `json:"instance"`
	In       bool     `json:"in"`
	Standing Standing `json:"standing"`
	// Verdict is one line for people: "in", or "out: " and why.
	Verdict string    `json:"verdict"`
	View    *Instance `json:"view,omitempty"`
	Facts   *Facts    `json:"facts,omitempty"`
	Local   *Local    `json:"local,omitempty"`

	// elsewhere: the table would let it serve, and the client has nearer ones.
	elsewhere bool
}

// Explain judges by the same decision as [Service.Candidates], and with a
// client's view by the order in which that client picks.
func Explain(e Evidence) Explanation {
	s := e.Table.Service(e.Service)
	meta, _ := s.described()
	x := Explanation{
		Realm: e.Realm, Service: e.Service, Revision: e.Table.Revision, Source: e.Table.Source,
		AgeMS: e.Now.Sub(e.Table.Updated).Milliseconds(), Instances: []Explained{}, Rules: meta.Rules, Facts: e.Facts != nil,
	}
	if e.Table.Updated.IsZero() {
		x.AgeMS = 0
	}
	best, choice := s.best(), chosen(e.Local)
	for in := range s.All() {
		x.add(e.judge(in, in.standing(best), choice))
	}
	if e.Facts != nil {
		x.Omitted = e.Facts.Omitted
		x.addUnlisted(e, s)
	}
	x.conclude(e, s)
	return x
}

// A choice is how far down its preferences a client has to go.
type choice struct {
	rank int
	// despite tells that all instances are ejected: a doubtful one is better
	// than none.
	despite bool
}

func chosen(local map[string]Local) choice {
	c := choice{rank: math.MaxInt, despite: true}
	for _, l := range local {
		c.despite = c.despite && l.Ejected
	}
	for _, l := range local {
		if c.despite || !l.Ejected {
			c.rank = min(c.rank, l.Rank)
		}
	}
	return c
}

func (x *Explanation) add(one Explained) {
	if one.In {
		x.In++
	}
	x.Instances = append(x.Instances, one)
}

func (e Evidence) judge(in Instance, standing Standing, c choice) Explained {
	one := Explained{Instance: in.ID, Standing: standing, View: &in, Facts: e.factsOf(in.ID)}
	if l, ok := e.Local[in.ID]; ok {
		one.Local = &l
		one.Standing = l.standing(standing, c)
		one.elsewhere = standing == Serving && one.Standing == Spare
	}
	one.In = one.Standing == Serving
	one.Verdict = one.verdict(e.Now)
	return one
}

// standing is what a client makes of an instance that the table lets it use.
func (l Local) standing(table Standing, c choice) Standing {
	switch {
	case table != Serving && table != Spare:
		return table
	case l.Ejected && !c.despite:
		return Aside
	case l.Rank == c.rank:
		return Serving
	}
	return Spare
}

func (e Evidence) factsOf(id string) *Facts {
	if e.Facts == nil {
		return nil
	}
	at, found := slices.BinarySearchFunc(e.Facts.Instances, id, func(f Facts, id string) int { return strings.Compare(f.Instance, id) })
	if !found {
		return nil
	}
	return &e.Facts.Instances[at]
}

// addUnlisted adds what Atlas knows of instances that are not in the table.
func (x *Explanation) addUnlisted(e Evidence, s *Service) {
	for i := range e.Facts.Instances {
		f := &e.Facts.Instances[i]
		if _, listed := s.Instance(f.Instance); !listed {
			x.add(Explained{Instance: f.Instance, Standing: Unlisted, Facts: f, Verdict: f.unlisted(e.Now)})
		}
	}
}

func (x *Explanation) conclude(e Evidence, s *Service) {
	switch {
	case x.In > 0:
		x.Verdict = fmt.Sprintf("%d of %d instances in", x.In, s.Len())
		return
	case e.Table.Revision.Epoch == "":
		x.Problem = ProblemNeverSeen
	case s.Len() == 0:
		x.Problem = ProblemNoSuchService
	default:
		x.Problem = ProblemNoneEnabled
	}
	x.Verdict = x.Err().Error()
	if x.Problem == ProblemNoSuchService && len(x.Instances) > 0 {
		x.Verdict += ": nothing of it is registered"
	}
}

// String is the verdict on the service, and below it a line for each instance.
func (x Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", x.Service, x.Verdict)
	for _, one := range x.Instances {
		fmt.Fprintf(&b, "\n%s  %s", one.Instance, one.Verdict)
	}
	return b.String()
}
