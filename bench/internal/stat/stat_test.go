package stat

import (
	"reflect"
	"testing"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	for _, c := range []struct {
		values []int
		p      float64
		want   int
	}{
		{nil, 50, 0},
		{[]int{7}, 1, 7},
		{[]int{7}, 100, 7},
		{[]int{3, 1, 2}, 50, 2},
		{[]int{4, 3, 2, 1}, 50, 2},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 99.5, 100},
		{hundred, 100, 100},
	} {
		if got := Percentile(c.values, c.p); got != c.want {
			t.Errorf("Percentile(%v, %v) = %v, want %v", c.values, c.p, got, c.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("Percentile sorted its argument")
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values           []float64
		median, min, max float64
	}{
		{[]float64{5}, 5, 5, 5},
		{[]float64{9, 1, 5}, 5, 1, 9},
		{[]float64{9, 1, 5, 6}, 5.5, 1, 9},
	} {
		want := Summary{Median: c.median, Min: c.min, Max: c.max, Rounds: c.values}
		if got := Summarize(c.values); !reflect.DeepEqual(got, want) {
			t.Errorf("Summarize(%v) = %v, want %v", c.values, got, want)
		}
	}
	if Median(nil) != 0 {
		t.Error("Median of nothing is not 0")
	}
}
