package attend

import (
	"slices"
	"testing"
	"time"

	"fairlead.dev/registry"
)

func TestVerdict(t *testing.T) {
	const p, w, c = registry.Passing, registry.Warning, registry.Critical
	tests := []struct {
		name       string
		rise, fall int
		findings   []registry.Status
		want       []registry.Status
	}{
		{"one good result is enough", 1, 2, []registry.Status{p}, []registry.Status{p}},
		{"critical until it has risen", 3, 1, []registry.Status{p, p, p}, []registry.Status{"", "", p}},
		{"a bad result starts the rise anew", 2, 1, []registry.Status{p, c, p, p}, []registry.Status{"", c, c, p}},
		{"one bad result is forgiven", 1, 2, []registry.Status{p, c, p, c, p}, []registry.Status{p, p, p, p, p}},
		{"two in a row are not", 1, 2, []registry.Status{p, c, c}, []registry.Status{p, p, c}},
		{"fall of one", 1, 1, []registry.Status{p, c, p}, []registry.Status{p, c, p}},
		{"warnings need no patience", 3, 3, []registry.Status{p, p, p, w, p}, []registry.Status{"", "", p, w, p}},
		{"a warning is good enough to rise", 2, 1, []registry.Status{w, p}, []registry.Status{"", p}},
		{"a warning breaks a fall", 1, 2, []registry.Status{p, c, w, c, c}, []registry.Status{p, p, w, w, c}},
		{"never healthy", 1, 1, []registry.Status{c, c}, []registry.Status{c, c}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v verdict
			var got []registry.Status
			for _, status := range tt.findings {
				v = v.after(finding{status: status}, Check{Rise: tt.rise, Fall: tt.fall})
				got = append(got, v.status)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("findings %v gave %q, want %q", tt.findings, got, tt.want)
			}
		})
	}
}

func TestPauseGrowsUntilHealthy(t *testing.T) {
	check := Check{Interval: 100 * time.Millisecond, Rise: 1, Fall: 1}
	var v verdict
	var got []time.Duration
	for range 5 {
		v = v.after(critical("refused"), check)
		got = append(got, v.pause(check)/time.Millisecond)
	}
	if want := []time.Duration{20, 40, 80, 100, 100}; !slices.Equal(got, want) {
		t.Errorf("pauses are %v ms, want %v", got, want)
	}
	v = v.after(passing(), check)
	if got := v.pause(check); got != check.Interval {
		t.Errorf("once healthy the pause is %s, want the interval", got)
	}
	for range 100 {
		v = v.after(critical("refused"), check)
	}
	if got := v.pause(check); got != check.Interval {
		t.Errorf("once it was healthy the pause is %s, want the interval", got)
	}
}

func TestPauseDoesNotOverflow(t *testing.T) {
	check := Check{Interval: time.Hour, Rise: 1, Fall: 1}
	var v verdict
	for range 1000 {
		v = v.after(critical("refused"), check)
		if got := v.pause(check); got <= 0 || got > time.Hour {
			t.Fatalf("after %d checks the pause is %s", v.checks, got)
		}
	}
}
