package smartclient

import (
	"sync"
	"testing"
	"time"
)

func TestAffordable(t *testing.T) {
	terms := Budget{}.withDefaults()
	for name, tc := range map[string]struct {
		requests, retries int64
		want              bool
	}{
		"the reserve alone":      {0, 100, true},
		"beyond the reserve":     {0, 101, false},
		"a fifth and reserve":    {1000, 300, true},
		"a fifth, reserve and 1": {1000, 301, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := affordable(terms, tc.requests, tc.retries); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Everything fails and everybody wants three attempts: at 1,000 requests a
// second for a minute no second may see more than the budget allows.
func TestBudgetBoundsEveryWindow(t *testing.T) {
	b := newBudget(Budget{}.withDefaults())
	spent := make([]int, 60)
	for i := range 60_000 {
		now := time.Duration(i) * time.Millisecond
		b.request(now)
		for range 2 {
			if b.spend(now) {
				spent[i/1000]++
			}
		}
	}
	total := 0
	for _, n := range spent {
		total += n
	}
	if most := 60*(200+10) + 100; total > most {
		t.Errorf("%d retries in a minute, want at most %d", total, most)
	}
	if total < 60*150 {
		t.Errorf("%d retries in a minute: the budget hardly gives any", total)
	}
}

// A storm after a calm, at any moment of the window: in the storm's own ten
// seconds there are at most a fifth of its requests and ten a second.
func TestBudgetBoundsAStorm(t *testing.T) {
	for _, begins := range []time.Duration{20 * time.Second, 20300 * time.Millisecond, 20999 * time.Millisecond} {
		b := newBudget(Budget{}.withDefaults())
		for now := time.Duration(0); now < begins; now += 5 * time.Millisecond {
			b.request(now)
		}
		requests, retries := 0, 0
		for now := begins; now < begins+10*time.Second; now += 500 * time.Microsecond {
			b.request(now)
			requests++
			for range 2 {
				if b.spend(now) {
					retries++
				}
			}
		}
		if most := requests/5 + 100; retries > most || retries < most*8/10 {
			t.Errorf("from %v: %d retries of %d requests, want at most %d", begins, retries, requests, most)
		}
	}
}

// What net/http repeats by itself when nothing is left fits the bound all the
// same, up to what is kept for it.
func TestBudgetLeavesRoomForResends(t *testing.T) {
	terms := Budget{}.withDefaults()
	b := newBudget(terms)
	for range 1000 {
		b.request(0)
	}
	spent := int64(0)
	for b.spend(0) {
		spent++
	}
	b.charge(0, int(terms.reserve()))
	if all := spent + terms.reserve(); all != 300 || !affordable(terms, 1000, all) {
		t.Errorf("%d retries and %d resends of 1,000 requests, want 300", spent, terms.reserve())
	}
}

func TestBudgetForgets(t *testing.T) {
	b := newBudget(Budget{Ratio: 1, MinPerSecond: -1}.withDefaults())
	b.request(0)
	if !b.spend(time.Second) || b.spend(time.Second) {
		t.Error("one request must pay for exactly one retry")
	}
	b.request(5 * time.Second)
	if b.spend(16 * time.Second) {
		t.Error("a request of eleven seconds ago still pays")
	}
}

func TestBudgetNeverPaysTwice(t *testing.T) {
	b := newBudget(Budget{Ratio: -1, MinPerSecond: 10}.withDefaults())
	var mu sync.Mutex
	var wg sync.WaitGroup
	paid := 0
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if b.spend(0) {
					mu.Lock()
					paid++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if paid > 100 {
		t.Errorf("paid %d of 100", paid)
	}
}

func TestCharge(t *testing.T) {
	b := newBudget(Budget{Ratio: -1, MinPerSecond: 1}.withDefaults())
	b.charge(0, 10)
	if b.spend(0) {
		t.Error("what net/http resent was not charged")
	}
}
