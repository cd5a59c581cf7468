package bridge

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"fairlead.dev/registry"
)

// maxHistory is how many changes of a realm are kept for readers that come
// back. Readers that were away for more start with everything.
const maxHistory = 2048

// gap is the least time between two looks at the table.
const gap = 20 * time.Millisecond

// A batch is what one new table changed, as the text of its events.
type batch struct {
	revision uint64
	changes  int
	text     []byte
}

// A feed turns the tables of one realm into a history that any number of
// readers follow, each at its own pace. One goroutine, run, writes it.
type feed struct {
	watcher registry.Watcher

	mu sync.Mutex
	// table is nil until one was confirmed.
	table *registry.Table
	// history holds the batches at positions first, first+1 and so on. Each
	// has a higher revision than the one before and than base, that of the
	// table before the first.
	history []batch
	first   uint64
	base    uint64
	changes int
	// wanted is when somebody last read, zero if nobody did.
	wanted time.Time
	// more is closed and replaced when there is more to read.
	more chan struct{}
	// ended is closed when the feed is stopped.
	ended chan struct{}
}

func newFeed(watcher registry.Watcher) *feed {
	return &feed{watcher: watcher, first: 1, more: make(chan struct{}), ended: make(chan struct{})}
}

// run follows the watcher until ctx ends. The first change is taken at once;
// those that follow it closely are taken together, because comparing tables
// costs their services' lists however little has changed.
func (f *feed) run(ctx context.Context) {
	defer close(f.ended)
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-rest.C:
		case <-ctx.Done():
			return
		}
		table, newer := f.watcher.Table()
		f.advance(table)
		rest.Reset(gap)
		select {
		case <-newer:
		case <-ctx.Done():
			return
		}
	}
}

// advance takes a newer table. A table nobody ever confirmed says nothing.
func (f *feed) advance(table *registry.Table) {
	if table.Updated.IsZero() && table.Len() == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.table
	f.table = table
	switch {
	case before == nil || before.Revision.Epoch != table.Revision.Epoch:
		f.restart()
		return
	case before == table:
		return
	case time.Since(f.wanted) > linger:
		// Nobody reads, and whoever comes begins with everything.
		f.restart()
		return
	}
	changes := diff(before, table)
	switch {
	case len(changes) == 0:
		return
	case table.Revision.Sequence <= before.Revision.Sequence:
		// The table was mended without moving on. An id could not tell who
		// has seen that, so everybody starts anew.
		f.restart()
		return
	}
	f.append(batch{revision: table.Revision.Sequence, changes: len(changes), text: changeEvents(changes, before.Revision)})
}

// restart empties the history, which makes every reader begin with everything.
func (f *feed) restart() {
	f.first += uint64(len(f.history)) + 1
	f.history, f.changes, f.base = nil, 0, f.table.Revision.Sequence
	f.wake()
}

func (f *feed) append(b batch) {
	f.history = append(f.history, b)
	f.changes += b.changes
	for f.changes > maxHistory && len(f.history) > 1 {
		f.base = f.history[0].revision
		f.changes -= f.history[0].changes
		f.history[0].text = nil
		f.history = f.history[1:]
		f.first++
	}
	f.wake()
}

func (f *feed) wake() {
	close(f.more)
	f.more = make(chan struct{})
}

// A cursor is a reader's place: the position of the batch it reads next. The
// zero cursor is nowhere, so its reader gets everything first.
type cursor uint64

// join takes the newest table, so that a reader who begins now finds what he
// has just changed, and returns the place after the event with an id as
// [feed.resume] does.
func (f *feed) join(lastID string) cursor {
	table, _ := f.watcher.Table()
	f.advance(table)
	return f.resume(lastID)
}

// resume returns the place after the event with an id, or the zero cursor if
// the history does not reach back that far.
func (f *feed) resume(lastID string) cursor {
	epoch, sequence, ok := parseID(lastID)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !ok || f.table == nil || epoch != f.table.Revision.Epoch || sequence < f.base || sequence > f.table.Revision.Sequence {
		return 0
	}
	at := f.first
	for _, b := range f.history {
		if b.revision <= sequence {
			at++
		}
	}
	return cursor(at)
}

// read returns the text of everything from a place on, the place after it, and
// a channel that is closed once there may be more.
func (f *feed) read(at cursor) (text []byte, next cursor, more <-chan struct{}) {
	f.mu.Lock()
	f.wanted = time.Now()
	table, first, history, more := f.table, f.first, f.history, f.more
	f.mu.Unlock()
	next = cursor(first + uint64(len(history)))
	switch {
	case table == nil:
		return nil, 0, more
	case uint64(at) < first || at > next:
		return resetEvent(table), next, more
	}
	for _, b := range history[uint64(at)-first:] {
		text = append(text, b.text...)
	}
	return text, next, more
}

// current returns the table as it is known now, nil as long as none was
// confirmed. It is asked of the watcher: what is kept here is the table of the
// last change, and a quiet realm is confirmed over and over without any.
func (f *feed) current() *registry.Table {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.table == nil {
		return nil
	}
	table, _ := f.watcher.Table()
	return table
}

// parseID reads the id of an event, "<epoch>-<sequence>".
func parseID(id string) (epoch string, sequence uint64, ok bool) {
	at := strings.LastIndexByte(id, '-')
	if at < 0 {
		return "", 0, false
	}
	sequence, err := strconv.ParseUint(id[at+1:], 10, 64)
	return id[:at], sequence, err == nil
}
