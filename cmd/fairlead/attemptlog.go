package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"fairlead.dev/smartclient"
)

// An attemptLog keeps a call's attempts for whoever wants to hear of them.
type attemptLog struct {
	heard *smartclient.Observer // nil if nobody does
	lines []string
}

// observer is to be given to the client; it is nil unless wanted.
func (l *attemptLog) observer(wanted bool) *smartclient.Observer {
	if wanted {
		l.heard = smartclient.NewObserver(func(o smartclient.Observation) { l.lines = append(l.lines, lineOf(o)) }, 0)
	}
	return l.heard
}

func lineOf(o smartclient.Observation) string {
	result := fmt.Sprintf("status %d", o.Status)
	if o.Err != nil {
		result = o.Err.Error()
	}
	return fmt.Sprintf("attempt %d at %s/%s (%s): %s after %s", o.Attempt, o.Service, o.Instance, o.Addr, result, o.Took.Round(10*time.Microsecond))
}

// print writes a line for each attempt, once the last has been heard of.
func (l *attemptLog) print(out io.Writer) error {
	if l.heard == nil {
		return nil
	}
	// It has nothing to wait for but what was said already.
	if err := l.heard.Close(context.Background()); err != nil {
		return err
	}
	for _, line := range l.lines {
		fmt.Fprintln(out, line)
	}
	return nil
}
