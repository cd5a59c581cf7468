package haproxy

import (
	"context"
	"time"
)

// A look asks HAProxy what it has. Of many servers that takes a while, in which
// the keeper goes on: what it changes meanwhile is taken from what it knows.
type look struct {
	began time.Time
	// from is what should be found.
	from *model
	// slots and keys are those that were changed meanwhile.
	slots, keys map[string]bool

	// done is closed once now or err is set.
	done chan struct{}
	now  *model
	err  error
}

func startLook(ctx context.Context, api runtimeAPI, from *model) *look {
	l := &look{began: time.Now(), from: from, slots: map[string]bool{}, keys: map[string]bool{}, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.now, l.err = observe(ctx, api)
	}()
	return l
}

// touch notes what is about to be changed. A nil look notes nothing.
func (l *look) touch(commands []command) {
	if l == nil {
		return
	}
	for _, c := range commands {
		if c.slot == "" {
			l.keys[c.key] = true
			continue
		}
		l.slots[c.slot] = true
	}
}

// another tells whether it was another worker that was asked than should be
// there, so that who has what was changed meanwhile is not known.
func (l *look) another() bool { return l.from != nil && l.from.worker != l.now.worker }

// result returns what HAProxy has now, once the look is done.
func (l *look) result() *model {
	for slot := range l.slots {
		l.now.servers[slot] = l.from.servers[slot]
	}
	for key := range l.keys {
		delete(l.now.entries, key)
		if value, ok := l.from.entries[key]; ok {
			l.now.entries[key] = value
		}
	}
	return l.now
}

// looked is closed when the look under way is done; it is nil if there is none.
func (k *keeper) looked() <-chan struct{} {
	if k.look == nil {
		return nil
	}
	return k.look.done
}
