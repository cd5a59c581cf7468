// Package stat sums measurements up. All functions are pure and leave their
// arguments as they are.
package stat

import (
	"cmp"
	"math"
	"slices"
)

// Percentile returns the least value that p percent of all values do not
// exceed (the nearest rank), 0 without values. p is above 0 and at most 100.
func Percentile[T cmp.Ordered](values []T, p float64) T {
	var none T
	if len(values) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Median returns the middle value, or the mean of the two in the middle; 0
// without values.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// A Summary is what is shown of the values of several rounds.
type Summary struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"`
}

// Summarize returns a summary of at least one value.
func Summarize(values []float64) Summary {
	return Summary{
		Median: Median(values), Min: slices.Min(values), Max: slices.Max(values),
		Rounds: slices.Clone(values),
	}
}
