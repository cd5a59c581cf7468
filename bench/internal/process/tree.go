package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Tree returns what a process and all below it take: the sum of what those
// that live took so far. CPU is exact only as long as none of them ends.
func (c *Child) Tree() (Usage, error) {
	sum, err := c.Usage()
	if err != nil {
		return sum, err
	}
	parents, err := parents()
	if err != nil {
		return sum, err
	}
	for pid := range parents {
		if !isBelow(parents, pid, c.PID()) {
			continue
		}
		if stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat")); err == nil {
			if u, err := parseStat(string(stat), int64(os.Getpagesize())); err == nil {
				sum.CPU += u.CPU
				sum.Resident += u.Resident
			}
		}
	}
	return sum, nil
}

// TreeMeter is [Meter] for a process and all below it.
func TreeMeter(c *Child) func() (time.Duration, error) {
	before, err := c.Tree()
	return func() (time.Duration, error) {
		if err != nil {
			return 0, err
		}
		after, err := c.Tree()
		return after.CPU - before.CPU, err
	}
}

func isBelow(parents map[int]int, pid, root int) bool {
	for at := parents[pid]; at > 1; at = parents[at] {
		if at == root {
			return true
		}
	}
	return false
}

// parents reads the parent of every process.
func parents() (map[int]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	all := map[int]int{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		_, rest, _ := strings.Cut(string(text[max(strings.LastIndexByte(string(text), ')'), 0):]), ") ")
		fields := strings.Fields(rest)
		pid, pidErr := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(fields) < 2 || pidErr != nil {
			continue
		}
		if all[pid], err = strconv.Atoi(fields[1]); err != nil {
			delete(all, pid)
		}
	}
	return all, err
}
