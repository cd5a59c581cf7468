package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	storeLookEvery = 500 * time.Millisecond
	// leastRoom has to be free, and is written as a trial before a store that
	// failed is opened again.
	leastRoom = 1 << 20
	// A store that fails again right after it was opened is opened less and
	// less often.
	mendPause     = time.Second
	mendPauseMost = 30 * time.Second
)

// ErrUnwritable says that the store takes no writes: its disk is full or
// broken, or its directory is gone.
var ErrUnwritable = errors.New("nothing can be written")

// A storeWatch looks after the store of a running server. A stream that once
// failed to write stays as it is for the server's life, although there is room
// again, and nobody is told; and what is written to a directory that was
// removed is lost with the process. Both are mended by closing JetStream and
// opening it again, within the server: connections and what needs no store go
// on meanwhile (docs/adr/0012-a-full-disk.md).
type storeWatch struct {
	server *Server
	// stuck is set by what the server logs, the only place where it tells.
	stuck *atomic.Bool
	// home is the store's directory as it was when it was opened.
	home fs.FileInfo

	trouble atomic.Pointer[error]
	pause   time.Duration // until the next mending
	mended  time.Time

	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (s *Server) watchStore() {
	w := &storeWatch{server: s, stuck: &s.adapter.stuck, pause: mendPause}
	w.home, _ = os.Stat(s.home())
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	s.watch = w
	w.done.Go(func() { w.run(ctx) })
}

// StoreError is nil while the store takes writes. Otherwise it wraps
// [ErrUnwritable] and says why it does not. A server mends by itself what it
// can, as soon as it can.
func (s *Server) StoreError() error {
	if err := s.watch.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

func (w *storeWatch) close() {
	w.cancel()
	w.done.Wait()
}

func (w *storeWatch) run(ctx context.Context) {
	tick := time.NewTicker(storeLookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look(time.Now())
			w.server.staging.look()
		case <-ctx.Done():
			return
		}
	}
}

// A storeFinding is what one look at the store found.
type storeFinding struct {
	gone  bool  // its directory was removed, or another one is in its place
	stuck bool  // the server has given up writing
	room  error // why nothing can be written there now
}

// A storeRemedy is what to do about it.
type storeRemedy int

const (
	storeIsWell storeRemedy = iota
	awaitRoom
	reopenStore
)

func (f storeFinding) remedy() storeRemedy {
	switch {
	case f.gone, f.stuck && f.room == nil:
		return reopenStore
	case f.room != nil:
		return awaitRoom
	}
	return storeIsWell
}

// cause says what is wrong.
func (f storeFinding) cause() error {
	switch {
	case f.gone:
		return errors.New("its directory was removed while the server ran")
	case f.room != nil:
		return f.room
	}
	return errors.New("the server gave up after a failed write")
}

func (w *storeWatch) look(now time.Time) {
	found := w.examine()
	switch found.remedy() {
	case storeIsWell:
		w.isWell()
	case awaitRoom:
		w.isIll(found.cause())
	case reopenStore:
		w.isIll(found.cause())
		w.reopen(found, now)
	}
}

func (w *storeWatch) examine() storeFinding {
	f := storeFinding{gone: w.isGone(), stuck: w.stuck.Load() || !w.server.nats.JetStreamEnabled()}
	dir := storeDir(w.server.opts)
	switch {
	case f.gone:
	case f.stuck:
		f.room = tryWriting(dir)
	default:
		f.room = hasRoom(dir)
	}
	return f
}

// isGone tells whether the directory is another one than was opened: what is
// written to the open files is then nowhere.
func (w *storeWatch) isGone() bool {
	return !w.server.holdsLock() || !isStill(w.home, w.server.home())
}

// home is what the server makes inside the directory that it is given.
func (s *Server) home() string {
	return filepath.Join(storeDir(s.opts), server.JetStreamStoreDir)
}

// holdsLock tells whether the lock that this server took is still the one that
// others would look at.
func (s *Server) holdsLock() bool {
	locked, err := s.lock.Stat()
	return err != nil || isStill(locked, filepath.Join(s.opts.DataDir, lockFile))
}

func isStill(was fs.FileInfo, path string) bool {
	is, err := os.Stat(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return was == nil || os.SameFile(was, is)
}

// hasRoom costs nothing, so it is asked all the time.
func hasRoom(dir string) error {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	if uint64(stat.Bavail)*uint64(stat.Bsize) < leastRoom {
		return fmt.Errorf("%s: %w", dir, syscall.ENOSPC)
	}
	return nil
}

// tryWriting finds what hasRoom does not: quotas, broken and read-only disks.
func tryWriting(dir string) error {
	file, err := os.CreateTemp(dir, ".trial-*")
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, leastRoom))
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close(), os.Remove(file.Name()))
}

func (w *storeWatch) isIll(cause error) {
	err := fmt.Errorf("%w: %w", ErrUnwritable, cause)
	if before := w.trouble.Swap(&err); before == nil {
		w.server.log.Error("nothing can be written to the store; it is opened again as soon as it can be", "error", cause)
	}
}

func (w *storeWatch) isWell() {
	if w.trouble.Swap(nil) != nil {
		w.server.log.Info("the store can be written to again")
	}
}

func (w *storeWatch) reopen(found storeFinding, now time.Time) {
	switch since := now.Sub(w.mended); {
	case since < w.pause:
		return
	case since > mendPauseMost+w.pause:
		w.pause = mendPause
	default:
		w.pause = min(2*w.pause, mendPauseMost)
	}
	w.mended = now
	if found.gone {
		w.server.log.Error("the data directory was removed while the server ran, making it anew; settings and events that were in it are lost")
	}
	if err := w.server.reopenStore(found.gone, w.stuck); err != nil {
		w.server.log.Error("the store was not opened again, trying on", "error", err)
		return
	}
	w.home, _ = os.Stat(w.server.home())
	w.isWell()
}

// reopenStore closes what JetStream has open and starts it anew.
func (s *Server) reopenStore(gone bool, stuck *atomic.Bool) error {
	if err := s.nats.ShutdownJetStream(); err != nil {
		return fmt.Errorf("embedded bus: close store: %w", err)
	}
	// The server may have begun to close it by itself.
	if s.nats.JetStreamConfig() != nil {
		return errors.New("embedded bus: the store is still being closed")
	}
	if gone {
		if err := s.remakeDataDir(); err != nil {
			return err
		}
	}
	stuck.Store(false)
	// A reload starts a JetStream that should run and does not.
	if err := s.openStore(); err != nil {
		return fmt.Errorf("embedded bus: open store: %w", err)
	}
	if !s.nats.JetStreamEnabled() {
		return errors.New("embedded bus: open store: the server could not; its log says why")
	}
	return nil
}

// remakeDataDir makes and locks the directory again; who is connected keeps
// his credentials.
func (s *Server) remakeDataDir() error {
	if err := os.MkdirAll(s.opts.DataDir, 0o700); err != nil {
		return fmt.Errorf("embedded bus: make data directory: %w", err)
	}
	if s.holdsLock() {
		return s.creds.save(s.opts.DataDir)
	}
	lock, err := lockDir(s.opts.DataDir)
	if err != nil {
		return err
	}
	before := s.lock
	s.lock = lock
	return errors.Join(before.Close(), s.creds.save(s.opts.DataDir))
}
