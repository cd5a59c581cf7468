package atlas

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// writesFailFor is how long no write at all has to succeed before this node
	// says so: less than an election and more than a moment.
	writesFailFor = 2 * time.Second
	// failuresCountFor is how long a failed write is held against the bucket,
	// if nobody tries again.
	failuresCountFor = 30 * time.Second
)

// writeHealth notes how the writes of this node end. The zero value is ready.
// It may be used concurrently.
type writeHealth struct {
	mu    sync.Mutex
	since time.Time // of the first failure after the last success
	last  time.Time // failure
	err   error
	told  bool
}

// note takes in how a write ended. A compare-and-set that failed is an answer.
func (h *writeHealth) note(err error, now time.Time, log *slog.Logger) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil || hasMoved(err) {
		if h.told {
			log.Info("writes to the registry succeed again", "failed_for_seconds", now.Sub(h.since).Seconds())
		}
		h.since, h.told = time.Time{}, false
		return
	}
	if h.since.IsZero() || now.Sub(h.last) > failuresCountFor {
		h.since = now
	}
	h.last, h.err = now, err
	if !h.told && now.Sub(h.since) >= writesFailFor {
		h.told = true
		log.Error("writes to the registry fail", "error", err)
	}
}

// fault is why writes fail, nil if they do not.
func (h *writeHealth) fault(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() || h.last.Sub(h.since) < writesFailFor || now.Sub(h.last) > failuresCountFor {
		return nil
	}
	return h.err
}

// errWritesFail is what a node finds out by itself, on whatever bus it is.
var errWritesFail = errors.New("nothing can be written to the registry")

// StorageError tells why nothing can be written, nil if it can: what the node
// was told of its store ([Options.StoreError]), else what its own writes ran
// into. It may be called concurrently.
func (n *Node) StorageError() error {
	if n.opts.StoreError != nil {
		if err := n.opts.StoreError(); err != nil {
			return err
		}
	}
	if err := n.store.health.fault(time.Now()); err != nil {
		return fmt.Errorf("%w: %w", errWritesFail, err)
	}
	return nil
}

// storageFault is the same in one line, "" if all is well.
func (n *Node) storageFault() string {
	if err := n.StorageError(); err != nil {
		return err.Error()
	}
	return ""
}
