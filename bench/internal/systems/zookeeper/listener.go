package zookeeper

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"fairlead.dev/bench/internal/systems"
)

// readsMost is how many reads of one listener are under way at once.
const readsMost = 64

// again is how soon a read that failed is repeated.
const again = 100 * time.Millisecond

// A listener reads again what an event names, which sets the next watch: the
// server's watches fire once.
type listener struct {
	*systems.Table
	conn    *conn
	service string // empty: all
	queue   *queue
	quit    chan struct{}
	done    chan struct{}
}

// Follow implements [systems.Conn].
func (c *conn) Follow(ctx context.Context, service string, heard systems.Heard) (systems.Listener, error) {
	l := &listener{
		Table: systems.NewTable(heard), conn: c, service: service, queue: newQueue(),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	c.add(l)
	if err := await(ctx, func() error { return l.readAll(true) }); err != nil {
		c.remove(l)
		return nil, err
	}
	go l.run()
	return l, nil
}

func (l *listener) run() {
	defer close(l.done)
	for {
		select {
		case <-l.quit:
			return
		case <-l.queue.signal:
		}
		for _, e := range l.queue.take() {
			if err := l.apply(e); err != nil {
				// The read did not set its watch, so nothing else would bring
				// it up again.
				time.AfterFunc(again, func() { l.queue.put(e) })
			}
		}
	}
}

func (l *listener) apply(e zk.Event) error {
	k, isInstance := keyOf(e.Path)
	switch {
	case e.Type == zk.EventSession:
		return l.readAll(true)
	case e.Path == root:
		return l.readAll(false)
	case !isInstance && l.follows(path.Base(e.Path)):
		return l.readService(path.Base(e.Path), false)
	case isInstance && l.follows(k.Service):
		return l.read(k)
	}
	return nil
}

func (l *listener) follows(service string) bool { return l.service == "" || l.service == service }

// readAll reads what is new, or with every also what is known, whose watches
// are gone.
func (l *listener) readAll(every bool) error {
	if l.service != "" {
		return l.readService(l.service, every)
	}
	services, _, _, err := l.conn.zk.ChildrenW(root)
	if err != nil {
		return err
	}
	var readers errgroup.Group
	readers.SetLimit(readsMost)
	for _, service := range services {
		readers.Go(func() error { return l.readService(service, every) })
	}
	return readers.Wait()
}

// readService reads the instances that are new and drops those that are gone.
func (l *listener) readService(service string, every bool) error {
	ids, _, _, err := l.conn.zk.ChildrenW(servicePath(service))
	if err != nil {
		return err
	}
	listed := make(map[string]bool, len(ids))
	var readers errgroup.Group
	readers.SetLimit(readsMost)
	for _, id := range ids {
		listed[id] = true
		k := systems.Key{Service: service, ID: id}
		if every || l.State(k) == systems.Absent {
			readers.Go(func() error { return l.read(k) })
		}
	}
	for _, k := range l.Keys() {
		if k.Service == service && !listed[k.ID] {
			l.Remove(k)
		}
	}
	return readers.Wait()
}

func (l *listener) read(k systems.Key) error {
	value, _, _, err := l.conn.zk.GetW(servicePath(k.Service) + "/" + k.ID)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		l.Remove(k)
		return nil
	case err != nil:
		return err
	}
	return l.Put(k, value)
}

// Close implements [systems.Listener].
func (l *listener) Close() {
	l.conn.remove(l)
	close(l.quit)
	<-l.done
}
