package smartclient

import (
	"math"
	"math/rand/v2"
	"time"
)

// A group is endpoints that are equally good but for their weight and load.
type group struct {
	endpoints []endpoint
	// alias is nil if all weights are equal.
	alias []column
}

// A column of an alias table (Vose's method) keeps its own index up to a
// threshold and gives the other one beyond it, so that a weighted draw costs
// two numbers however many endpoints there are.
type column struct {
	keep  uint32 // of 1<<32
	other int32
}

func newGroup(endpoints []endpoint) group {
	g := group{endpoints: endpoints}
	total, even := 0, true
	for i := range endpoints {
		total += weightOf(&endpoints[i])
		even = even && weightOf(&endpoints[i]) == weightOf(&endpoints[0])
	}
	mean := float32(total) / float32(len(endpoints))
	for i := range endpoints {
		endpoints[i].share = mean / float32(weightOf(&endpoints[i]))
	}
	if !even {
		g.alias = aliasTable(endpoints)
	}
	return g
}

func weightOf(e *endpoint) int { return max(e.instance.Weight, 1) }

// aliasTable pairs each endpoint that is lighter than the mean with a heavier
// one that fills the rest of its column.
func aliasTable(endpoints []endpoint) []column {
	table := make([]column, len(endpoints))
	height := make([]float64, len(endpoints))
	var light, heavy []int32
	for i := range endpoints {
		table[i] = column{keep: ^uint32(0), other: int32(i)}
		height[i] = 1 / float64(endpoints[i].share)
		if height[i] < 1 {
			light = append(light, int32(i))
		} else {
			heavy = append(heavy, int32(i))
		}
	}
	for len(light) > 0 && len(heavy) > 0 {
		l, h := light[len(light)-1], heavy[len(heavy)-1]
		light = light[:len(light)-1]
		table[l] = column{keep: uint32(height[l] * (1 << 32)), other: h}
		if height[h] -= 1 - height[l]; height[h] < 1 {
			heavy = heavy[:len(heavy)-1]
			light = append(light, h)
		}
	}
	return table
}

// pair draws two endpoints, each as likely as its weight. With equal weights
// they differ, so that every pick compares two; with unequal ones they may be
// the same, or two instances would share evenly whatever their weights.
func (g *group) pair() (int, int) {
	r, n := rand.Uint64(), uint64(len(g.endpoints))
	if g.alias != nil {
		return g.weighted(r), g.weighted(rand.Uint64())
	}
	first, second := r>>32*n>>32, r&math.MaxUint32*(n-1)>>32
	if second >= first {
		second++
	}
	return int(first), int(second)
}

// weighted chooses a column by the upper half of a random number, and what of
// it by the lower: without a branch, for a processor that guesses wrong loses as
// much time as all the rest takes.
func (g *group) weighted(r uint64) int {
	i := int(r >> 32 * uint64(len(g.endpoints)) >> 32)
	c := &g.alias[i]
	other := int(c.other)
	if uint32(r) > c.keep {
		i = other
	}
	return i
}

// pairs bounds the search by luck before a search in order. The last pair is
// taken as it is, new or not.
const pairs = 4

// pick chooses by two random choices among the endpoints that are open, nil if
// none is. Nearly always both are plain and their costs decide at once, without
// the questions that all others raise.
func (g *group) pick(now time.Duration, tried []life) *endpoint {
	if len(g.endpoints) == 1 {
		return g.open(0, now, tried)
	}
	i, j := g.pair()
	a, b := &g.endpoints[i], &g.endpoints[j]
	if a != b && len(tried) == 0 && a.load.plain(now) && b.load.plain(now) {
		return better(a, b, now)
	}
	return g.choose(i, j, now, tried)
}

// choose goes on from a first pair. An ejected one whose time is over gets the
// request at once if that wins the right to probe it. New ones are passed over
// while they start slowly, unless there is nothing else.
func (g *group) choose(i, j int, now time.Duration, tried []life) *endpoint {
	var found *endpoint
	held := false
	for round := range pairs {
		if round > 0 {
			i, j = g.pair()
		}
		for _, at := range [2]int{i, j} {
			e := &g.endpoints[at]
			if e.load.ramp > now && round < pairs-1 && e.load.heldBack(now, rand.Uint32()) {
				held = true
				continue
			}
			switch e = g.open(at, now, tried); {
			case e == nil || e == found:
			case e.load.ejected.away(): // claimed for a probe
				return e
			case found == nil:
				found = e
			default:
				found = better(found, e, now)
				if !found.load.failing() {
					return found
				}
			}
		}
		if found != nil && held {
			break // its share went to the other; a second draw would be a second chance
		}
	}
	if found != nil {
		return found
	}
	return g.search(rand.IntN(len(g.endpoints)), now, tried)
}

// better returns the cheaper one, or the other if its time has come to show
// what it has become. That is asked first, for it is hardly ever so; which of
// two is cheaper cannot be foreseen, and is chosen without a branch.
func better(a, b *endpoint, now time.Duration) *endpoint {
	ms := millis(now)
	costA, costB := a.load.cost(ms, a.share), b.load.cost(ms, b.share)
	if costB > outdone*costA && b.load.rechecked(now) {
		return b
	}
	if costA > outdone*costB && a.load.rechecked(now) {
		return a
	}
	if costB < clearly*costA {
		a = b
	}
	return a
}

// search takes the first open endpoint from a place on.
func (g *group) search(from int, now time.Duration, tried []life) *endpoint {
	n := len(g.endpoints)
	for i := range n {
		if e := g.open((from+i)%n, now, tried); e != nil {
			return e
		}
	}
	return nil
}

// open returns an endpoint if it was not tried and is not ejected.
func (g *group) open(i int, now time.Duration, tried []life) *endpoint {
	e := &g.endpoints[i]
	if wasTried(e, tried) {
		return nil
	}
	ok, probe := e.load.ejected.allows(now)
	if !ok || probe && !e.load.ejected.claim(now) {
		return nil
	}
	return e
}

func wasTried(e *endpoint, tried []life) bool {
	for _, t := range tried {
		if t == e.life() {
			return true
		}
	}
	return false
}

// clearly is how much cheaper the second of two must be to win. Differences
// below it are noise, and noise must not outvote weights, nor starve the
// slower of two nearly equal instances.
const clearly = 0.8
