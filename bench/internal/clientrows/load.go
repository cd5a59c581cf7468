package clientrows

import (
	"bytes"
	"context"
	"sync"
	"time"

	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/stat"
)

// A load sends requests at a constant rate, whatever becomes of those before:
// a client that is slow gets no fewer.
type load struct {
	client clients.Client
	rate   int // a second
	phase  time.Duration
	// methods take turns.
	methods []string
}

// A sample is one request of a load.
type sample struct {
	at   time.Duration // when it was due, since the beginning
	took time.Duration // from then on
	ok   bool
}

var payload = bytes.Repeat([]byte("x"), 1024)

// run sends for the phase and waits for the last answer.
func (l load) run(ctx context.Context) []sample {
	total := int(l.phase.Seconds() * float64(l.rate))
	samples := make([]sample, total)
	var requests sync.WaitGroup
	began := time.Now()
	for n := range total {
		due := time.Duration(n) * time.Second / time.Duration(l.rate)
		if wait := due - time.Since(began); wait > 0 {
			time.Sleep(wait)
		}
		requests.Go(func() {
			samples[n] = l.send(ctx, n, began, due)
		})
	}
	requests.Wait()
	return samples
}

// sendMost bounds a request with all its repetitions, as any service's caller
// does.
const sendMost = 5 * time.Second

func (l load) send(ctx context.Context, n int, began time.Time, due time.Duration) sample {
	ctx, cancel := context.WithTimeout(ctx, sendMost)
	defer cancel()
	method := l.methods[n%len(l.methods)]
	var status int
	var err error
	if method == "PUT" {
		status, err = l.client.Send(ctx, method, "/users/1", bytes.NewReader(payload))
	} else {
		status, err = l.client.Send(ctx, method, "/users/1", nil)
	}
	return sample{at: due, took: time.Since(began) - due, ok: err == nil && status < 400}
}

func failures(samples []sample) int {
	n := 0
	for _, s := range samples {
		if !s.ok {
			n++
		}
	}
	return n
}

// p99 is of those after the warm-up, in milliseconds.
func p99(samples []sample, warmUp time.Duration) float64 {
	var took []float64
	for _, s := range samples {
		if s.at >= warmUp {
			took = append(took, float64(s.took)/float64(time.Millisecond))
		}
	}
	return stat.Percentile(took, 99)
}

// buckets counts the successes by when they were answered.
func buckets(samples []sample, width time.Duration) []int {
	var counts []int
	for _, s := range samples {
		for int(s.at/width) >= len(counts) {
			counts = append(counts, 0)
		}
		if !s.ok {
			continue
		}
		at := int((s.at + s.took) / width)
		for at >= len(counts) {
			counts = append(counts, 0)
		}
		counts[at]++
	}
	return counts
}
