package bridge

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/problem"
)

const (
	// maxFeeds bounds the realms that are followed besides the bridge's own.
	maxFeeds = 32
	// linger is how long a feed without readers goes on, for those who come
	// back after a broken connection.
	linger = time.Minute
)

// A Follow begins to follow a whole realm; stop ends it and joins whatever it
// started.
type Follow func(realm string) (watcher registry.Watcher, stop func(), err error)

// feeds are the realms that are being followed: the bridge's own always,
// others while somebody reads them.
type feeds struct {
	follow Follow
	own    string

	mu     sync.Mutex
	open   map[string]*openFeed
	closed bool
	// ending counts the feeds that are being ended because nobody reads them.
	ending sync.WaitGroup
}

type openFeed struct {
	*feed
	readers int
	cancel  context.CancelFunc
	stop    func()
	// idle ends the feed when the last reader has been gone for long.
	idle *time.Timer
}

func newFeeds(own string, follow Follow) *feeds {
	return &feeds{follow: follow, own: own, open: map[string]*openFeed{}}
}

// join returns the feed of a realm; leave must be called once.
func (f *feeds) join(realm string) (joined *feed, leave func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one, err := f.get(realm)
	if err != nil {
		return nil, nil, err
	}
	one.readers++
	if one.idle != nil {
		one.idle.Stop()
		one.idle = nil
	}
	return one.feed, func() { f.leave(realm, one) }, nil
}

func (f *feeds) get(realm string) (*openFeed, error) {
	one := f.open[realm]
	switch {
	case one != nil:
		return one, nil
	case f.closed:
		return nil, problem.New(http.StatusServiceUnavailable, "stopping", "the bridge is stopping")
	case len(f.open) > maxFeeds:
		return nil, problem.New(http.StatusServiceUnavailable, "too-many-realms", fmt.Sprintf("more than %d realms are being followed", maxFeeds))
	}
	watcher, stop, err := f.follow(realm)
	if err != nil {
		return nil, fmt.Errorf("follow realm %s: %w", realm, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	one = &openFeed{feed: newFeed(watcher), cancel: cancel, stop: stop}
	f.open[realm] = one
	go one.run(ctx)
	return one, nil
}

func (f *feeds) leave(realm string, one *openFeed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one.readers--
	if one.readers > 0 || realm == f.own || f.closed {
		return
	}
	one.idle = time.AfterFunc(linger, func() { f.expire(realm, one) })
}

func (f *feeds) expire(realm string, one *openFeed) {
	f.mu.Lock()
	if f.closed || one.readers > 0 || f.open[realm] != one {
		f.mu.Unlock()
		return
	}
	delete(f.open, realm)
	f.ending.Add(1)
	f.mu.Unlock()
	defer f.ending.Done()
	one.end()
}

func (o *openFeed) end() {
	o.cancel()
	<-o.ended
	o.stop()
}

// table returns what is held of a realm, nil if nothing is.
func (f *feeds) table(realm string) *registry.Table {
	f.mu.Lock()
	one := f.open[realm]
	f.mu.Unlock()
	if one == nil {
		return nil
	}
	return one.current()
}

// close ends all feeds, and with them their readers.
func (f *feeds) close() {
	f.mu.Lock()
	open := f.open
	f.open, f.closed = map[string]*openFeed{}, true
	for _, one := range open {
		if one.idle != nil {
			one.idle.Stop()
		}
	}
	f.mu.Unlock()
	for _, one := range open {
		one.end()
	}
	f.ending.Wait()
}
