package main

import (
	"testing"
	"time"

	"fairlead.dev/registry"
)

func TestSince(t *testing.T) {
	now := time.Date(2030, 1, 31, 18, 0, 0, 0, time.UTC)
	tests := map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s",
		2*time.Hour + 3*time.Minute: "2h3m", 49 * time.Hour: "2d1h",
	}
	for age, want := range tests {
		if got := since(now.Add(-age), now); got != want {
			t.Errorf("since %s is %q, want %q", age, got, want)
		}
	}
	if got := since(time.Time{}, now); got != "-" {
		t.Errorf("since never is %q", got)
	}
}

func TestWhyUnused(t *testing.T) {
	until := time.Date(2030, 1, 31, 18, 0, 0, 0, time.Local)
	tests := []struct {
		in   registry.Instance
		want string
	}{
		{registry.Instance{}, ""},
		{registry.Instance{Enabled: true, Status: registry.Passing, Owner: "jane", Reason: "mended"}, ""},
		{registry.Instance{Enabled: true, Status: registry.Draining, Owner: "jane", Reason: "new kernel"}, "new kernel (jane)"},
		{registry.Instance{Reason: "bad disk"}, "bad disk"},
		{registry.Instance{Reason: "bad disk", Owner: "jane"}, "bad disk (jane)"},
		{registry.Instance{Owner: "jane", Until: until}, "(jane, until " + until.Format(time.RFC3339) + ")"},
	}
	for _, tt := range tests {
		if got := whyUnused(tt.in); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestParseUntil(t *testing.T) {
	now := time.Date(2030, 1, 31, 18, 0, 0, 0, time.UTC)
	tests := map[string]time.Time{
		"":                          {},
		"90m":                       now.Add(90 * time.Minute),
		"2030-02-01T00:00:00Z":      now.Add(6 * time.Hour),
		"2030-01-31T20:00:00+01:00": now.Add(time.Hour),
	}
	for text, want := range tests {
		if got, err := parseUntil(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %s (%v), want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"0s", "-1h", "2030-01-31T18:00:00Z", "2030-01-31", "soon"} {
		if got, err := parseUntil(text, now); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}
