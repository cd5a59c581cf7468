package registry

import (
	"errors"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)

func explained(local map[string]Local, facts *ServiceFacts, instances ...Instance) Explanation {
	table := NewTable("local", "e").WithService("identity", 7, instances).At(Revision{"e", 7}).From(Live, noon.Add(-time.Second))
	return Explain(Evidence{Realm: "local", Service: "identity", Table: table, Now: noon, Facts: facts, Local: local})
}

func TestExplainSaysWhy(t *testing.T) {
	fit := Instance{Service: "identity", ID: "a", Status: Passing, Enabled: true}
	other := Instance{Service: "identity", ID: "b", Status: Passing, Enabled: true}
	with := func(change func(*Instance)) Instance {
		in := fit
		change(&in)
		return in
	}
	facts := func(f Facts) *ServiceFacts {
		f.Instance, f.Registered = "a", true
		return &ServiceFacts{Instances: []Facts{f}}
	}
	disabled := with(func(in *Instance) { in.Enabled = false })
	signed := with(func(in *Instance) {
		in.Enabled, in.Owner, in.Reason, in.Until = false, "ann", "deploy", noon.Add(2*time.Hour)
	})
	draining := with(func(in *Instance) { in.Status = Draining })
	drained := with(func(in *Instance) { in.Status, in.Owner, in.Reason = Draining, "bob", "kernel" })
	suspect := with(func(in *Instance) { in.Status = Suspect })
	warning := with(func(in *Instance) { in.Status = Warning })
	cases := []struct {
		name     string
		instance Instance
		others   []Instance
		facts    *ServiceFacts
		local    map[string]Local
		standing Standing
		verdict  string
	}{
		{"fit", fit, nil, nil, nil, Serving, "in"},
		{"fit, by Atlas", fit, nil, facts(Facts{LeaseLeftMS: 5000}), nil, Serving, "in"},
		{"disabled", disabled, nil, nil, nil, SwitchedOff, "out: disabled"},
		{"disabled by somebody", signed, nil, nil, nil, SwitchedOff, "out: disabled by ann: deploy, until 2030-01-31T14:00:00Z (2h0m left)"},
		{"draining", draining, nil, nil, nil, Leaving, "out: draining, by its own word"},
		{"draining, by Atlas", draining, nil, facts(Facts{}), nil, Leaving, "out: draining, by its own word"},
		{"drained by somebody", drained, nil, nil, nil, Leaving, "out: draining by bob: kernel"},
		{"drained by nobody", draining, nil, facts(Facts{Drain: &Drain{Drain: true}}), nil, Leaving, "out: draining"},
		{"suspect beside others", suspect, []Instance{other}, nil, nil, Spare, "out: suspect, and there are better ones"},
		{"suspect, by Atlas", suspect, []Instance{other}, facts(Facts{Cause: "no answer"}), nil, Spare, "out: suspect (no answer), and there are better ones"},
		{"suspect alone", suspect, nil, facts(Facts{Cause: "no answer", Held: "mass loss"}), nil, Serving,
			"in: suspect (no answer), but nothing better is left; held: mass loss"},
		{"warning beside others", warning, []Instance{other}, nil, nil, Spare, "out: warning, and there are better ones"},
		{"silent", fit, nil, facts(Facts{LeaseLeftMS: -1500, HeartbeatAgeMS: 7500}), nil, Serving, "in: no heartbeat for 8s"},
		{"weighted", fit, nil, facts(Facts{Weight: &Weight{Weight: 5, Owner: "ann", Reason: "canary"}}), nil, Serving, "in: weight 5 by ann: canary"},
		{"ejected", fit, []Instance{other}, nil, map[string]Local{"a": {Ejected: true, Failures: 5, BackInMS: 4200}, "b": {}}, Aside,
			"out: ejected by this client after 5 failures in a row, tried again in 4s"},
		{"ejected, its time is over", fit, []Instance{other}, nil, map[string]Local{"a": {Ejected: true, Failures: 6, BackInMS: -10}, "b": {}}, Aside,
			"out: ejected by this client after 6 failures in a row, the next request tries it"},
		{"ejected like all", fit, nil, nil, map[string]Local{"a": {Ejected: true}}, Serving, "in: ejected by this client, but so are all others"},
		{"in another zone", fit, []Instance{other}, nil, map[string]Local{"a": {Rank: 1}, "b": {}}, Spare, "out: in another zone, and this one has instances"},
		{"in another zone, the others ejected", fit, []Instance{other}, nil, map[string]Local{"a": {Rank: 1}, "b": {Ejected: true}}, Serving, "in"},
		{"suspect, the others ejected", suspect, []Instance{other}, nil, map[string]Local{"a": {Rank: 1}, "b": {Ejected: true}}, Serving,
			"in: suspect, but nothing better is left"},
		{"disabled and ejected", disabled, nil, nil, map[string]Local{}, SwitchedOff, "out: disabled"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := explained(c.local, c.facts, append(c.others, c.instance)...)
			got := x.Instances[0]
			if got.Standing != c.standing || got.Verdict != c.verdict || got.In != (c.standing == Serving) {
				t.Errorf("%s, %q, expected %s, %q", got.Standing, got.Verdict, c.standing, c.verdict)
			}
		})
	}
}

// What is explained and what is chosen must not part.
func TestExplainAgreesWithCandidates(t *testing.T) {
	statuses := []Status{Passing, Warning, Suspect, Critical, Draining}
	var instances []Instance
	for mask := range 1 << len(statuses) {
		instances = instances[:0]
		for i, status := range statuses {
			for _, enabled := range []bool{true, false} {
				if mask&(1<<i) != 0 {
					instances = append(instances, Instance{Service: "identity", ID: string(status) + map[bool]string{true: "-on", false: "-off"}[enabled], Status: status, Enabled: enabled})
				}
			}
		}
		x := explained(nil, nil, instances...)
		candidates, err := NewTable("local", "e").WithService("identity", 1, instances).Service("identity").Candidates()
		var chosen, in []string
		for _, c := range candidates {
			chosen = append(chosen, c.ID)
		}
		for _, one := range x.Instances {
			if one.In {
				in = append(in, one.Instance)
			}
		}
		if !slices.Equal(chosen, in) || !errors.Is(x.Err(), err) || x.In != len(in) {
			t.Errorf("chosen are %v (%v), explained as in %v (%v)", chosen, err, in, x.Err())
		}
	}
}

func TestExplainOfAWholeService(t *testing.T) {
	on := Instance{Service: "identity", ID: "a", Status: Passing, Enabled: true}
	off := Instance{Service: "identity", ID: "b", Status: Passing}
	waiting := &ServiceFacts{Instances: []Facts{
		{Instance: "c", Flag: &Flag{Owner: "ann", Reason: "not yet"}, Weight: &Weight{Weight: 5}, Drain: &Drain{Drain: true, Owner: "bob"}},
		{Instance: "d", Registered: true},
	}}
	cases := []struct {
		name    string
		x       Explanation
		err     error
		verdict string
	}{
		{"some in", explained(nil, nil, on, off), nil, "1 of 2 instances in"},
		{"none enabled", explained(nil, nil, off), ErrNoneEnabled, "no instance is enabled"},
		{"none", explained(nil, nil), ErrNoSuchService, "no such service"},
		{"none but overrides", explained(nil, waiting), ErrNoSuchService, "no such service: nothing of it is registered"},
		{"never seen", Explain(Evidence{Service: "identity", Table: NewTable("local", ""), Now: noon}), ErrNeverSeen, "registry was never seen"},
	}
	for _, c := range cases {
		if !errors.Is(c.x.Err(), c.err) || c.x.Verdict != c.verdict {
			t.Errorf("%s: %q, %v", c.name, c.x.Verdict, c.x.Err())
		}
	}
	x := explained(nil, waiting, on)
	if x.AgeMS != 1000 || x.Source != Live || x.Revision.Sequence != 7 || !x.Facts {
		t.Errorf("as of %+v", x)
	}
	want := []string{"in", "out: not registered; disabled by ann: not yet; draining by bob; weight 5", "out: registered, but not in this table yet"}
	for i, one := range x.Instances {
		if one.Verdict != want[i] {
			t.Errorf("%s: %q, expected %q", one.Instance, one.Verdict, want[i])
		}
	}
}

func TestExplanationsAreReadByPeople(t *testing.T) {
	x := explained(nil, nil,
		Instance{Service: "identity", ID: "a", Status: Passing, Enabled: true},
		Instance{Service: "identity", ID: "b", Status: Passing, Owner: "ann", Reason: "deploy"})
	if got, want := x.String(), "identity: 1 of 2 instances in\na  in\nb  out: disabled by ann: deploy"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
