package atlas

import (
	"context"
	"sync"
	"time"
)

// deadlineStep is how exactly requests end: those that begin within one step
// share a context, because each of its own would cost a timer.
const deadlineStep = 250 * time.Millisecond

// deadlines hands out contexts that end some time after now. The zero value is
// ready; it may be used concurrently.
type deadlines struct {
	mu     sync.Mutex
	shared context.Context
	until  time.Time
}

// within returns a context that ends with parent, or d to d+deadlineStep from
// now.
func (s *deadlines) within(parent context.Context, d time.Duration) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.shared == nil || !now.Before(s.until) {
		ctx, cancel := context.WithTimeout(parent, d+deadlineStep)
		context.AfterFunc(ctx, cancel)
		s.shared, s.until = ctx, now.Add(deadlineStep)
	}
	return s.shared
}
