package demo

import (
	"slices"
	"sync"
	"time"
)

// A life is one incarnation of an instance, as the callers know it.
type life struct {
	Instance    string `json:"instance"`
	Incarnation string `json:"incarnation"`
}

// A sample is one request and what came of it.
type sample struct {
	path     string
	began    time.Time
	took     time.Duration
	failure  string
	mismatch bool
	// served is what each instance on the way said of itself.
	served []serving
}

// A serving is an instance's own count at an answer of its.
type serving struct {
	by    life
	count int
}

// A tally adds up what the callers see. It may be used concurrently.
type tally struct {
	mu       sync.Mutex
	requests map[string]int
	failures map[string]int
	examples []string
	took     []time.Duration
	seconds  map[int64]int
	lives    map[life]*lifeTally
	mismatch int
}

// lifeTally is what the callers know of one incarnation.
type lifeTally struct {
	answers []time.Time
	highest int
}

func newTally() *tally {
	return &tally{requests: map[string]int{}, failures: map[string]int{}, seconds: map[int64]int{}, lives: map[life]*lifeTally{}}
}

// maxExamples bounds the failures that are told in full.
const maxExamples = 5

func (t *tally) add(s sample, detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests[s.path]++
	if s.mismatch {
		t.mismatch++
	}
	if s.failure != "" {
		t.failures[s.failure]++
		if len(t.examples) < maxExamples {
			t.examples = append(t.examples, detail)
		}
		return
	}
	t.took = append(t.took, s.took)
	end := s.began.Add(s.took)
	t.seconds[end.Unix()]++
	for _, served := range s.served {
		t.credit(served, end)
	}
}

func (t *tally) credit(s serving, at time.Time) {
	l := t.lives[s.by]
	if l == nil {
		l = &lifeTally{}
		t.lives[s.by] = l
	}
	l.answers = append(l.answers, at)
	l.highest = max(l.highest, s.count)
}

// total returns the number of requests so far.
func (t *tally) total() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum()
}

func (t *tally) sum() int {
	n := 0
	for _, count := range t.requests {
		n += count
	}
	return n
}

// last tells when an instance, whatever its incarnation, last answered.
func (t *tally) last(instance string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	var last time.Time
	for by, l := range t.lives {
		for _, at := range l.answers {
			if by.Instance == instance && at.After(last) {
				last = at
			}
		}
	}
	return last
}

// between counts an instance's answers in a span of time.
func (t *tally) between(instance string, from, to time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for by, l := range t.lives {
		for _, at := range l.answers {
			if by.Instance == instance && at.After(from) && at.Before(to) {
				n++
			}
		}
	}
	return n
}

// poorest returns the fewest successes in a whole second between two times.
func (t *tally) poorest(from, to time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, last := from.Unix()+1, to.Unix()-1
	if last < first {
		return 0
	}
	least := t.seconds[first]
	for s := first + 1; s <= last; s++ {
		least = min(least, t.seconds[s])
	}
	return least
}

// quantiles returns the given quantiles of the successes' durations.
func quantiles(took []time.Duration, q ...float64) []time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	out := make([]time.Duration, len(q))
	if len(sorted) == 0 {
		return out
	}
	for i, at := range q {
		out[i] = sorted[min(int(at*float64(len(sorted))), len(sorted)-1)]
	}
	return out
}
