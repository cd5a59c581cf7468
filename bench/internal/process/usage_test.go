package process

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	const tail = "S 1 2 3 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 12345 1000000 42 18446744073709551615"
	for name, text := range map[string]string{
		"plain":                  "7 (java) " + tail,
		"a name with a bracket":  "7 (a) b (c) " + tail,
		"a name that looks like": "7 (x) S 1) " + tail,
	} {
		got, err := parseStat(text, 4096)
		if want := (Usage{CPU: 3 * time.Second, Resident: 42 * 4096}); err != nil || got != want {
			t.Errorf("%s: parseStat = %v, %v, want %v", name, got, err, want)
		}
	}
	for _, text := range []string{"", "7 (java", "7 (java) S 1", "7 (java) S 1 2 3 0 -1 4 100 0 0 0 x 50 0 0 20 0 9 0 1 1 42 1"} {
		if _, err := parseStat(text, 4096); !errors.Is(err, errStat) {
			t.Errorf("parseStat(%q) = %v, want %v", text, err, errStat)
		}
	}
}

func TestChildIsMeasuredAndKilled(t *testing.T) {
	t.Parallel()
	c, err := Start(Spec{Path: "cat", Log: t.TempDir() + "/log", Talks: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if u, err := c.Usage(); err != nil || u.Resident <= 0 {
		t.Errorf("Usage = %v, %v, want resident memory", u, err)
	}
	c.Kill()
	c.Kill()
	if _, err := c.Usage(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Usage of a killed process: %v, want %v", err, os.ErrNotExist)
	}
}
