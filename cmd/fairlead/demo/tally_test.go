package demo

import (
	"strings"
	"testing"
	"time"
)

func at(second float64) time.Time {
	return time.Unix(1000, 0).Add(time.Duration(second * float64(time.Second)))
}

func TestTheTallyCountsWhatCallersSaw(t *testing.T) {
	tally := newTally()
	one := life{"identity-1", "x"}
	add := func(began float64, failure string, count int) {
		tally.add(sample{path: "client", began: at(began), took: time.Millisecond, failure: failure,
			served: []serving{{one, count}}}, "detail")
	}
	add(0.5, "", 1)
	add(1.1, "", 2)
	add(1.9, "", 4)
	add(2.5, "timeout", 0)
	add(2.6, "", 5)
	add(3.5, "", 6)
	var r Report
	tally.summarise(&r, at(0), at(5))
	if r.Requests != 6 || r.Failed != 1 || r.Failures["timeout"] != 1 || len(r.Examples) != 1 {
		t.Errorf("%+v", r)
	}
	if got := tally.poorest(at(0.5), at(4.2)); got != 1 {
		t.Errorf("the poorest whole second has %d successes, want 1", got)
	}
	if got := tally.poorest(at(0.5), at(7)); got != 0 {
		t.Errorf("a second without any success counts as %d", got)
	}
	if got := tally.between("identity-1", at(1), at(2)); got != 2 {
		t.Errorf("%d answers in a second, want 2", got)
	}
	if got := tally.last("identity-1"); !got.Equal(at(3.501)) {
		t.Errorf("last answer at %v", got)
	}
}

func TestJudgement(t *testing.T) {
	good := func() Report {
		return Report{
			Requests: leastRequests, PoorestSecond: leastPerSecond, Killed: Killed{ServedBefore: 1},
			Counts:           []Count{{life: life{"a", "1"}, Served: 7, Answers: 7}, {life: life{"b", "1"}, Served: 5, Answers: 4, Killed: true}},
			ServedByServices: 12, AnswersSeen: 11, CutOff: 1,
		}
	}
	cases := []struct {
		name  string
		spoil func(*Report)
		want  string
	}{
		{"good", func(*Report) {}, ""},
		{"a failure", func(r *Report) { r.Failed = 1 }, "failed"},
		{"too few", func(r *Report) { r.Requests-- }, "fewer"},
		{"a poor second", func(r *Report) { r.PoorestSecond-- }, "poorest second"},
		{"a mix-up", func(r *Report) { r.Mismatched = 1 }, "another request's id"},
		{"an idle victim", func(r *Report) { r.Killed.ServedBefore = 0 }, "second before"},
		{"a lost answer", func(r *Report) { r.Counts[0].Served = 8 }, "served 8"},
		{"sums that differ", func(r *Report) { r.CutOff = 0 }, "cut off"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := good()
			c.spoil(&r)
			r.judge()
			if r.OK != (c.want == "") || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("ok %v, problems %q", r.OK, r.Problems)
			}
		})
	}
}

func TestQuantiles(t *testing.T) {
	var took []time.Duration
	for i := range 100 {
		took = append(took, time.Duration(100-i)*time.Millisecond)
	}
	got := quantiles(took, 0.5, 0.99, 1)
	if got[0] != 51*time.Millisecond || got[1] != 100*time.Millisecond || got[2] != 100*time.Millisecond {
		t.Errorf("%v", got)
	}
	if got := quantiles(nil, 0.5); got[0] != 0 {
		t.Errorf("of nothing: %v", got)
	}
}
