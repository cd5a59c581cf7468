package memory

import "sync"

// A teller calls hear from a goroutine of its own, however long that takes, in
// the order in which it was told.
type teller[T any] struct {
	hear func(T)

	mu     sync.Mutex
	queue  []T
	signal chan struct{}
	quit   chan struct{}
	done   chan struct{}
	once   sync.Once
}

func newTeller[T any](hear func(T)) *teller[T] {
	t := &teller[T]{hear: hear, signal: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	go t.run()
	return t
}

func (t *teller[T]) run() {
	defer close(t.done)
	for {
		select {
		case <-t.quit:
			return
		case <-t.signal:
		}
		for _, u := range t.take() {
			t.hear(u)
		}
	}
}

func (t *teller[T]) take() []T {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := t.queue
	t.queue = nil
	return queue
}

func (t *teller[T]) tell(u T) {
	t.mu.Lock()
	t.queue = append(t.queue, u)
	t.mu.Unlock()
	select {
	case t.signal <- struct{}{}:
	default:
	}
}

func (t *teller[T]) stop() {
	t.once.Do(func() { close(t.quit) })
	<-t.done
}
