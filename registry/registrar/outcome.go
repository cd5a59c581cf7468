package registrar

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// An outcome is settled once, with nil or an error. Until then it remembers
// the last error that did not settle it, for those who give up waiting.
type outcome struct {
	mu      sync.Mutex
	err     error
	settled chan struct{}
	once    sync.Once
}

func newOutcome() *outcome { return &outcome{settled: make(chan struct{})} }

func (o *outcome) settle(err error) {
	o.once.Do(func() {
		o.note(err)
		close(o.settled)
	})
}

func (o *outcome) note(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

func (o *outcome) error() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *outcome) wait(ctx context.Context, stopped <-chan struct{}, what string) error {
	var why error
	select {
	case <-o.settled:
		return wrap(what, o.error())
	default:
	}
	select {
	case <-o.settled:
		return wrap(what, o.error())
	case <-stopped:
		why = ErrStopped
	case <-ctx.Done():
		why = ctx.Err()
	}
	return wrap(what, errors.Join(why, o.error()))
}

// wrap says what was waited for, unless the error begins with just that.
func wrap(what string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), what+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}
