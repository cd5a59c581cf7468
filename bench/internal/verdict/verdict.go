// Package verdict decides whether a figure is reached. It is pure: figures in,
// word and ratio out.
//
//	target := verdict.Target{Better: verdict.Lower, Ratio: 0.7}
//	v := verdict.Judge(target, 4.1, map[string]float64{"etcd": 7.5, "nats": 9})
//	// v.Reached, v.Ratio is 0.55 of v.Peer, which is etcd
package verdict

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Better is the direction of a figure.
type Better string

// A figure's good direction.
const (
	Lower  Better = "lower"
	Higher Better = "higher"
)

// A Target is what a figure has to be. Zero bounds are none, and a target with
// neither is for information.
type Target struct {
	Better Better `json:"better"`
	// Ratio bounds the figure relative to the best peer's.
	Ratio float64 `json:"ratio,omitempty"`
	// Bound bounds the figure itself; with Zero, even when Bound is 0.
	Bound float64 `json:"bound,omitempty"`
	Zero  bool    `json:"zero,omitempty"`
}

// A Word is a verdict in a word.
type Word string

// The verdicts. Open is for figures without a target.
const (
	Reached Word = "reached"
	Short   Word = "short"
	Open    Word = "no target"
)

// A Verdict is how a figure stands.
type Verdict struct {
	Word Word `json:"verdict"`
	// Peer is the best of them and Ratio ours to its figure, 0 without peers.
	Peer  string  `json:"peer,omitempty"`
	Ratio float64 `json:"ratio,omitempty"`
}

// Judge compares our figure with the target and the peers' figures. A target
// relative to peers is short when there is none to compare with.
func Judge(t Target, ours float64, peers map[string]float64) Verdict {
	v := Verdict{Word: Open}
	v.Peer = best(t.Better, peers)
	if v.Peer != "" && peers[v.Peer] != 0 {
		v.Ratio = ours / peers[v.Peer]
	}
	if t.Ratio == 0 && t.Bound == 0 && !t.Zero {
		return v
	}
	v.Word = Reached
	relative := t.Ratio == 0 || v.Ratio != 0 && within(t.Better, v.Ratio, t.Ratio)
	absolute := t.Bound == 0 && !t.Zero || within(t.Better, ours, t.Bound)
	if !relative || !absolute || math.IsNaN(ours) {
		v.Word = Short
	}
	return v
}

func within(b Better, value, bound float64) bool {
	if b == Higher {
		return value >= bound
	}
	return value <= bound
}

// best returns the peer with the best figure, by name among equals.
func best(b Better, peers map[string]float64) (name string) {
	for _, peer := range slices.Sorted(maps.Keys(peers)) {
		if name == "" || peers[peer] != peers[name] && within(b, peers[peer], peers[name]) {
			name = peer
		}
	}
	return name
}

// String says the target in words.
func (t Target) String() string {
	sign := "≤"
	if t.Better == Higher {
		sign = "≥"
	}
	switch {
	case t.Ratio != 0:
		return fmt.Sprintf("%s %g × best peer", sign, t.Ratio)
	case t.Bound != 0 || t.Zero:
		return fmt.Sprintf("%s %g", sign, t.Bound)
	}
	return "–"
}
