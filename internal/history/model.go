package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// state is all there is to know of one key. The instance of every endpoint is
// alive and keeps its lease for as long as a history lasts, so nobody may take
// another's key.
type state struct {
	life, endpoint string
	disabled       bool
	// sequence is the last one that was acknowledged.
	sequence uint64
}

var model = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(s, call, answer any) (bool, any) { return s.(state).step(call.(Call), answer.(Answer)) },
}

// step tells whether a registry in this state could have given an answer, and
// what its state is then.
func (s state) step(c Call, a Answer) (bool, state) {
	switch c.Kind {
	case Register:
		return s.write(a, s.free(c), state{life: c.Life, endpoint: c.Endpoint})
	case Deregister:
		if s.life == "" {
			return a.Outcome != Refused, s
		}
		return s.write(a, s.life == c.Life, state{})
	case SetFlag:
		return s.write(a, true, state{disabled: !c.Enabled})
	case ReadLife:
		return a.Outcome != Done || a.Life == s.life, s
	default:
		return a.Outcome != Done || a.Enabled == !s.disabled, s
	}
}

// free tells whether a life may have the key.
func (s state) free(c Call) bool {
	return s.life == "" || s.life == c.Life || s.endpoint == c.Endpoint
}

// write is possible if it was done when it may be, with a newer sequence, or
// refused when it may not be. One without an answer was done if it could be.
func (s state) write(a Answer, may bool, next state) (bool, state) {
	next.sequence = max(s.sequence, a.Sequence)
	switch {
	case a.Outcome == Refused:
		return !may, s
	case a.Outcome == Unknown && !may:
		return true, s
	case a.Outcome == Unknown:
		return true, next
	}
	return may && (a.Sequence == 0 || a.Sequence > s.sequence), next
}

// partition splits a history by what is independent: a key's registrations,
// and its flag.
func partition(calls []porcupine.Operation) [][]porcupine.Operation {
	type part struct {
		key  string
		flag bool
	}
	parts := map[part][]porcupine.Operation{}
	for _, o := range calls {
		c := o.Input.(Call)
		p := part{c.Key, c.Kind == SetFlag || c.Kind == ReadFlag}
		parts[p] = append(parts[p], o)
	}
	var all [][]porcupine.Operation
	for _, p := range parts {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b []porcupine.Operation) int {
		return cmp.Compare(a[0].Input.(Call).Key, b[0].Input.(Call).Key)
	})
	return all
}

// furthest returns the longest order of calls that makes sense.
func furthest(info porcupine.LinearizationInfo) []porcupine.Operation {
	var longest []porcupine.Operation
	for _, orders := range info.PartialLinearizationsOperations() {
		for _, order := range orders {
			if len(order) > len(longest) {
				longest = order
			}
		}
	}
	return longest
}

// around is how many calls are shown before and after where an order ends.
const around = 15

// describe tells the calls about where the longest order that makes sense
// ends: those that are in it first, then those that fit nowhere.
func describe(calls, order []porcupine.Operation) string {
	var text strings.Builder
	taken := map[int64]bool{}
	for i, o := range order {
		taken[o.Call] = true
		if i >= len(order)-around {
			text.WriteString(line(o))
		}
	}
	text.WriteString("  and then nothing fits of\n")
	slices.SortFunc(calls, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	shown := 0
	for _, o := range calls {
		if !taken[o.Call] && shown < around {
			text.WriteString(line(o))
			shown++
		}
	}
	return text.String()
}

func line(o porcupine.Operation) string {
	return fmt.Sprintf("  %10s to %10s client %d: %s\n", at(o.Call), at(o.Return), o.ClientId, exchange(o.Input.(Call), o.Output.(Answer)))
}

func at(ns int64) string {
	if d := time.Duration(ns); d < time.Hour {
		return d.Round(10 * time.Microsecond).String()
	}
	return "the end"
}

func exchange(c Call, a Answer) string {
	kind := [...]string{"register", "deregister", "read life", "set flag", "read flag"}[c.Kind]
	outcome := [...]string{"done", "refused", "no answer"}[a.Outcome]
	switch c.Kind {
	case Register:
		return fmt.Sprintf("%s %s at %s: %s, sequence %d", kind, c.Life, c.Endpoint, outcome, a.Sequence)
	case Deregister:
		return fmt.Sprintf("%s %s: %s", kind, c.Life, outcome)
	case SetFlag:
		return fmt.Sprintf("%s %t: %s, sequence %d", kind, c.Enabled, outcome, a.Sequence)
	case ReadFlag:
		return fmt.Sprintf("%s: %s, %t", kind, outcome, a.Enabled)
	}
	return fmt.Sprintf("%s: %s, %q", kind, outcome, a.Life)
}
