package registrar

import (
	"context"
	"sync"
)

// An interruptible runs one call at a time that a new connection may cut
// short: whatever was asked on the old one is not going to be answered.
type interruptible struct {
	mu     sync.Mutex
	cancel context.CancelFunc
}

func (i *interruptible) do(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	i.set(cancel)
	defer i.set(nil)
	return fn(ctx)
}

func (i *interruptible) set(cancel context.CancelFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cancel = cancel
}

func (i *interruptible) interrupt() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cancel != nil {
		i.cancel()
	}
}
