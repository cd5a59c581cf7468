package clientrows

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"fairlead.dev/bench/internal/clients"
	"fairlead.dev/bench/internal/verdict"
)

// picking measures the choice alone, which is not exported: by the package's
// own benchmark.
func picking() Row {
	return Row{
		Name:  "pick",
		Title: "Picking one of 100 instances",
		Method: "`go test -bench Pick` of package smartclient, the best of a hundred runs of 300,000 picks, short enough for some to have the processors to themselves: all instances healthy and with latencies known, from one to three milliseconds; " +
			"in parallel with 8 goroutines, the time is that between two picks of all of them together.",
		Figures: []Figure{
			{Name: "alone", Title: "a pick", Unit: "ns", Target: lower(50)},
			{Name: "allocs", Title: "allocations", Unit: "", Target: none()},
			{Name: "parallel", Title: "with 8 goroutines, relative to one", Unit: "×", Target: verdict.Target{Better: verdict.Lower, Bound: 1}},
		},
		Measure: measurePicking,
	}
}

const smartclientPackage = "fairlead.dev/smartclient"

var errNoBenchmark = errors.New("go test -bench Pick does not have the expected lines")

func measurePicking(ctx context.Context, l Lab) (Values, error) {
	// #nosec G204 -- constant arguments.
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkPick$/^100($|_in_parallel$)",
		"-benchtime", "300000x", "-count", pick(l.Quick, "20", "100"), smartclientPackage).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	alone, allocs, okAlone := benchmarkLine(out, "BenchmarkPick/100-")
	if _, _, ok := benchmarkLine(out, "BenchmarkPick/100 "); ok { // one processor has no suffix
		alone, allocs, okAlone = benchmarkLine(out, "BenchmarkPick/100 ")
	}
	parallel, _, okParallel := benchmarkLine(out, "BenchmarkPick/100_in_parallel")
	if !okAlone || !okParallel {
		return nil, fmt.Errorf("%w: %s", errNoBenchmark, out)
	}
	v := Values{}
	v.set("alone", clients.Fairlead, alone)
	v.set("allocs", clients.Fairlead, allocs)
	v.set("parallel", clients.Fairlead, parallel/alone)
	return v, nil
}

// benchmarkLine finds "NAME-2  123  45.6 ns/op  0 B/op  0 allocs/op", and of
// several the one that took least.
func benchmarkLine(out []byte, prefix string) (ns, allocs float64, ok bool) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), prefix) {
			continue
		}
		if took, made, read := benchmarkFields(strings.Fields(lines.Text())); read && (!ok || took < ns) {
			ns, allocs, ok = took, made, true
		}
	}
	return ns, allocs, ok
}

func benchmarkFields(fields []string) (ns, allocs float64, ok bool) {
	for i := 1; i < len(fields); i++ {
		value, err := strconv.ParseFloat(fields[i-1], 64)
		switch {
		case err != nil:
		case fields[i] == "ns/op":
			ns, ok = value, true
		case fields[i] == "allocs/op":
			allocs = value
		}
	}
	return ns, allocs, ok
}
