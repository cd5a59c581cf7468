package history

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"fairlead.dev/registry"
)

const key = "local/identity/a"

// during places a call in time.
func during(from, to int64, c Call, a Answer) porcupine.Operation {
	c.Key = key
	return porcupine.Operation{ClientId: int(from), Input: c, Output: a, Call: from, Return: to}
}

func register(life string) Call { return Call{Kind: Register, Life: life, Endpoint: "http://" + life} }
func deregister(life string) Call {
	return Call{Kind: Deregister, Life: life}
}
func done(sequence uint64) Answer { return Answer{Sequence: sequence} }

var refused, unknown = Answer{Outcome: Refused}, Answer{Outcome: Unknown}

func TestHistories(t *testing.T) {
	cases := map[string]struct {
		calls    []porcupine.Operation
		possible bool
	}{
		"one takes over after the other left": {[]porcupine.Operation{
			during(1, 2, register("x"), done(1)),
			during(3, 4, deregister("x"), done(0)),
			during(5, 6, register("y"), done(3)),
		}, true},
		"two own one key": {[]porcupine.Operation{
			during(1, 4, register("x"), done(1)),
			during(2, 5, register("y"), done(2)),
		}, false},
		"the second is refused": {[]porcupine.Operation{
			during(1, 4, register("x"), done(1)),
			during(2, 5, register("y"), refused),
		}, true},
		"refused though nobody has it": {[]porcupine.Operation{
			during(1, 2, register("y"), refused),
		}, false},
		"a late deregistration removes the next life": {[]porcupine.Operation{
			during(1, 2, register("x"), done(1)),
			during(3, 9, deregister("x"), done(0)),
			during(4, 5, register("y"), done(3)),
			during(6, 7, Call{Kind: ReadLife}, Answer{Life: ""}),
		}, false},
		"an acknowledged registration is lost": {[]porcupine.Operation{
			during(1, 2, register("x"), done(1)),
			during(3, 4, Call{Kind: ReadLife}, Answer{Life: ""}),
		}, false},
		"no answer, and it happened": {[]porcupine.Operation{
			during(1, math.MaxInt64, register("x"), unknown),
			during(3, 4, Call{Kind: ReadLife}, Answer{Life: "x"}),
			during(5, 6, register("y"), refused),
		}, true},
		"no answer, and it did not happen": {[]porcupine.Operation{
			during(1, math.MaxInt64, register("x"), unknown),
			during(3, 4, Call{Kind: ReadLife}, Answer{Life: ""}),
			during(5, 6, register("y"), done(7)),
		}, true},
		"sequences go back": {[]porcupine.Operation{
			during(1, 2, Call{Kind: SetFlag, Enabled: false}, done(9)),
			during(3, 4, Call{Kind: SetFlag, Enabled: true}, done(8)),
		}, false},
		"a flag is lost": {[]porcupine.Operation{
			during(1, 2, Call{Kind: SetFlag, Enabled: false}, done(1)),
			during(3, 4, Call{Kind: ReadFlag}, Answer{Enabled: true}),
		}, false},
		"a flag is read while it is set": {[]porcupine.Operation{
			during(1, 8, Call{Kind: SetFlag, Enabled: false}, done(1)),
			during(2, 3, Call{Kind: ReadFlag}, Answer{Enabled: true}),
			during(4, 5, Call{Kind: ReadFlag}, Answer{Enabled: false}),
		}, true},
		"a flag is read back and forth": {[]porcupine.Operation{
			during(1, 8, Call{Kind: SetFlag, Enabled: false}, done(1)),
			during(2, 3, Call{Kind: ReadFlag}, Answer{Enabled: false}),
			during(4, 5, Call{Kind: ReadFlag}, Answer{Enabled: true}),
		}, false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			h := History{calls: test.calls}
			if err := h.Check(time.Minute); (err == nil) != test.possible {
				t.Errorf("possible: %t, expected %t: %v", err == nil, test.possible, err)
			}
		})
	}
}

func TestRecordKeepsTheOrderOfACallAndItsAnswer(t *testing.T) {
	var h History
	h.Record(1, Call{Kind: Register, Key: key, Life: "x", Endpoint: "e"}, func() Answer { return done(4) })
	h.Record(1, Call{Kind: ReadLife, Key: key}, func() Answer { return Answer{Life: "z"} })
	err := h.Check(time.Minute)
	if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), `read life: done, "z"`) {
		t.Errorf("got %v, expected an error that names the key and tells its calls", err)
	}
	if h.Count(Done) != 2 || h.Count(Refused) != 0 {
		t.Errorf("counted %d done, %d refused", h.Count(Done), h.Count(Refused))
	}
}

func TestTablesOnlyGoForward(t *testing.T) {
	at := func(epoch string, sequence uint64) registry.Revision {
		return registry.Revision{Epoch: epoch, Sequence: sequence}
	}
	cases := map[string]struct {
		revisions []registry.Revision
		forward   bool
	}{
		"forward":                  {[]registry.Revision{at("a", 1), at("a", 1), at("a", 5)}, true},
		"back":                     {[]registry.Revision{at("a", 5), at("a", 4)}, false},
		"another epoch":            {[]registry.Revision{at("a", 5), at("b", 1), at("b", 2)}, true},
		"an epoch that is no more": {[]registry.Revision{at("a", 5), at("b", 1), at("a", 6)}, false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			var l Line
			var err error
			for _, r := range test.revisions {
				if e := l.Add(r); e != nil {
					err = e
				}
			}
			if (err == nil) != test.forward {
				t.Errorf("forward: %t, expected %t: %v", err == nil, test.forward, err)
			}
		})
	}
}
