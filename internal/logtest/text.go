// Package logtest has what tests read logs with:
//
//	var log logtest.Text
//	service := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
//	…
//	if !strings.Contains(log.String(), "instance ejected") {
package logtest

import (
	"strings"
	"sync"
)

// A Text may be read while it is written, by any number of both. Its zero value
// is empty.
type Text struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements [io.Writer]; it does not fail.
func (t *Text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

// String returns what was written so far.
func (t *Text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
