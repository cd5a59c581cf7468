package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report is what a run measured. Times are milliseconds unless they say
// otherwise.
type Report struct {
	OK bool `json:"ok"`
	// Problems say what was not as it has to be; empty if OK.
	Problems []string `json:"problems"`

	Requests int            `json:"requests"`
	ByPath   map[string]int `json:"requests_by_path"`
	Failed   int            `json:"failed"`
	// Failures are counted by cause; Examples tell a few in full.
	Failures map[string]int `json:"failures_by_cause"`
	Examples []string       `json:"failure_examples,omitempty"`
	// Retries are those of the demo's own smart client, the sidecar's and the
	// gateway's, as they count them themselves.
	Retries       map[string]int `json:"retries"`
	Mismatched    int            `json:"answers_with_another_request_id"`
	P50           float64        `json:"p50_ms"`
	P99           float64        `json:"p99_ms"`
	Max           float64        `json:"max_ms"`
	Seconds       float64        `json:"seconds"`
	PoorestSecond int            `json:"successes_in_poorest_second"`

	Changes []Change `json:"changes"`
	Killed  Killed   `json:"killed"`
	Counts  []Count  `json:"counts"`
	// ServedByServices is the sum of the services' own counts, AnswersSeen
	// that of the callers, CutOff the requests that the killed instance
	// counted and whose answers its death cut off.
	ServedByServices int `json:"served_by_services"`
	AnswersSeen      int `json:"answers_seen_by_callers"`
	CutOff           int `json:"answers_cut_off_by_the_kill"`
}

// A Change is one thing that was done to the realm while requests flowed.
type Change struct {
	What string `json:"what"`
	// LastTable is from the change (its acknowledgement, or the signal) until
	// the last of Tables routing tables had it.
	LastTable float64 `json:"to_last_table_ms"`
	Tables    int     `json:"tables"`
	// LastRequest is how long after the change the instance still answered
	// a request by any path; negative if the last answer was before it.
	LastRequest *float64 `json:"last_answer_after_ms,omitempty"`
}

// Killed tells of the instance that was ended by SIGKILL.
type Killed struct {
	Instance      string  `json:"instance"`
	ServedBefore  int     `json:"answers_in_the_second_before"`
	ListedSeconds float64 `json:"seconds_listed_after_death"`
}

// A Count holds what one incarnation says that it served against what the
// callers saw of it.
type Count struct {
	life
	Served  int  `json:"served"`
	Answers int  `json:"answers_seen"`
	Killed  bool `json:"killed,omitempty"`
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Targets of a run with Once.
const (
	leastRequests  = 10_000
	leastPerSecond = 200
)

// judge fills in what is wrong with the figures. It is pure.
func (r *Report) judge() {
	r.Problems = []string{}
	problem := func(is bool, format string, args ...any) {
		if is {
			r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
		}
	}
	problem(r.Failed > 0, "%d idempotent requests failed", r.Failed)
	problem(r.Requests < leastRequests, "%d requests, fewer than %d", r.Requests, leastRequests)
	problem(r.PoorestSecond < leastPerSecond, "%d successes in the poorest second, fewer than %d", r.PoorestSecond, leastPerSecond)
	problem(r.Mismatched > 0, "%d answers carried another request's id", r.Mismatched)
	problem(r.Killed.ServedBefore == 0, "the killed instance had not served in the second before")
	for _, c := range r.Counts {
		problem(!c.Killed && c.Served != c.Answers, "%s (%s) served %d and the callers saw %d", c.Instance, c.Incarnation, c.Served, c.Answers)
	}
	problem(r.ServedByServices != r.AnswersSeen+r.CutOff, "the services served %d, the callers saw %d and %d were cut off",
		r.ServedByServices, r.AnswersSeen, r.CutOff)
	r.OK = len(r.Problems) == 0
}

// WriteText writes the table that people read.
func (r *Report) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nrequests\t%d in %.0f s (%s)\n", r.Requests, r.Seconds, counts(r.ByPath))
	fmt.Fprintf(w, "failed\t%d %s\n", r.Failed, counts(r.Failures))
	fmt.Fprintf(w, "retries\t%s\n", counts(r.Retries))
	fmt.Fprintf(w, "latency\tp50 %.1f ms, p99 %.1f ms, max %.1f ms\n", r.P50, r.P99, r.Max)
	fmt.Fprintf(w, "poorest second\t%d successes\n", r.PoorestSecond)
	fmt.Fprintf(w, "killed\t%s: %d answers in its last second, listed for %.3f s after its death\n",
		r.Killed.Instance, r.Killed.ServedBefore, r.Killed.ListedSeconds)
	fmt.Fprintf(w, "counts\tservices %d = callers %d + cut off by the kill %d\n", r.ServedByServices, r.AnswersSeen, r.CutOff)
	fmt.Fprintf(w, "\nchange\tin the last table after\tlast answer of the instance\n")
	for _, c := range r.Changes {
		fmt.Fprintf(w, "%s\t%.1f ms (of %d)\t%s\n", c.What, c.LastTable, c.Tables, lastAnswer(c.LastRequest))
	}
	fmt.Fprintln(w)
	for _, p := range r.Problems {
		fmt.Fprintf(w, "PROBLEM\t%s\n", p)
	}
	for _, e := range r.Examples {
		fmt.Fprintf(w, "failure\t%s\n", e)
	}
	if r.OK {
		fmt.Fprintln(w, "No idempotent request failed.")
	}
	return w.Flush()
}

func lastAnswer(after *float64) string {
	if after == nil {
		return "-"
	}
	if *after < 0 {
		return fmt.Sprintf("%.1f ms before the change", -*after)
	}
	return fmt.Sprintf("%.1f ms after it", *after)
}

func counts(m map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(parts, ", ")
}
