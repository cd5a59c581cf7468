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
