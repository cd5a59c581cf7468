package verdict

import (
	"math"
	"testing"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	peers := map[string]float64{"etcd": 10, "nats": 20}
	for name, c := range map[string]struct {
		target Target
		ours   float64
		peers  map[string]float64
		word   Word
		peer   string
		ratio  float64
	}{
		"lower, at the bound":       {Target{Better: Lower, Ratio: 0.7}, 7, peers, Reached, "etcd", 0.7},
		"lower, above it":           {Target{Better: Lower, Ratio: 0.7}, 7.1, peers, Short, "etcd", 0.71},
		"higher, at the bound":      {Target{Better: Higher, Ratio: 1.5}, 30, peers, Reached, "nats", 1.5},
		"higher, below it":          {Target{Better: Higher, Ratio: 1.5}, 29, peers, Short, "nats", 1.45},
		"absolute, reached":         {Target{Better: Lower, Bound: 15}, 15, peers, Reached, "etcd", 1.5},
		"absolute, short":           {Target{Better: Lower, Bound: 15}, 15.5, peers, Short, "etcd", 1.55},
		"absolute and higher":       {Target{Better: Higher, Bound: 1000}, 2833, nil, Reached, "", 0},
		"absolute without peers":    {Target{Better: Lower, Bound: 1}, 0.5, nil, Reached, "", 0},
		"none at all, and none":     {Target{Better: Lower, Zero: true}, 0, nil, Reached, "", 0},
		"none at all, and one":      {Target{Better: Lower, Zero: true}, 1, nil, Short, "", 0},
		"relative without peers":    {Target{Better: Lower, Ratio: 0.7}, 1, nil, Short, "", 0},
		"for information":           {Target{Better: Lower}, 5, peers, Open, "etcd", 0.5},
		"a peer that measured zero": {Target{Better: Lower, Ratio: 0.7}, 5, map[string]float64{"etcd": 0}, Short, "etcd", 0},
		"not a number":              {Target{Better: Lower, Bound: 1}, math.NaN(), nil, Short, "", 0},
	} {
		v := Judge(c.target, c.ours, c.peers)
		if v.Word != c.word || v.Peer != c.peer || math.Abs(v.Ratio-c.ratio) > 1e-9 {
			t.Errorf("%s: Judge = %+v, want %s, peer %q, ratio %v", name, v, c.word, c.peer, c.ratio)
		}
	}
}

func TestEqualPeersAreOrderedByName(t *testing.T) {
	t.Parallel()
	for range 20 {
		if got := best(Lower, map[string]float64{"b": 1, "a": 1, "c": 2}); got != "a" {
			t.Fatalf("best = %q, want a", got)
		}
	}
}

func TestTargetInWords(t *testing.T) {
	t.Parallel()
	for want, target := range map[string]Target{
		"≤ 0.7 × best peer": {Better: Lower, Ratio: 0.7},
		"≥ 1000":            {Better: Higher, Bound: 1000},
		"≤ 0":               {Better: Lower, Zero: true},
		"–":                 {Better: Higher},
	} {
		if got := target.String(); got != want {
			t.Errorf("%+v is %q, want %q", target, got, want)
		}
	}
}
