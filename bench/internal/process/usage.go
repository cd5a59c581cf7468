package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Usage is what a process took of the machine so far.
type Usage struct {
	CPU time.Duration
	// Resident is the memory it holds, in bytes.
	Resident int64
}

// tick is the unit of times in /proc, the same on every Linux that Go runs on.
const tick = time.Second / 100

// Usage reads the process's usage from /proc.
func (c *Child) Usage() (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID()))
	if err != nil {
		return Usage{}, err
	}
	return parseStat(string(stat), int64(os.Getpagesize()))
}

// Meter returns a function that tells how much processor time a child took
// since Meter was called.
func Meter(c *Child) func() (time.Duration, error) {
	before, err := c.Usage()
	return func() (time.Duration, error) {
		if err != nil {
			return 0, err
		}
		after, err := c.Usage()
		return after.CPU - before.CPU, err
	}
}

var errStat = errors.New("process: /proc/PID/stat is not to be understood")

// parseStat reads fields 14, 15 and 24 of proc_pid_stat(5). The program's name
// is in parentheses and may contain anything.
func parseStat(text string, page int64) (Usage, error) {
	_, rest, found := strings.Cut(text[max(strings.LastIndexByte(text, ')'), 0):], ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 22 {
		return Usage{}, errStat
	}
	var numbers [3]int64
	for i, at := range []int{11, 12, 21} { // counted from field 3
		n, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			return Usage{}, errStat
		}
		numbers[i] = n
	}
	return Usage{CPU: time.Duration(numbers[0]+numbers[1]) * tick, Resident: numbers[2] * page}, nil
}
