package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"fairlead.dev/bus/provision"
)

const (
	// stagingDir is where the server stages the batches of a stream, inside
	// the stream's directory.
	stagingDir = "batches"
	// stagingPrefix begins the names of our directories in memory.
	stagingPrefix = "fairlead-batches-"
	// stagingRoom has to be free in memory, or batches are staged on the disk.
	stagingRoom = 64 << 20
	// tmpfsMagic is how Linux marks a file system that is in memory.
	tmpfsMagic = 0x01021994
)

// batched are the streams that take atomic batches.
var batched = []string{"KV_" + provision.RegistryBucket, provision.EventsStream}

// A staging keeps in memory what the server stages of atomic batches. It writes
// each message of a batch to files made for that batch, reads them back, stores
// them in the stream, syncs that, and acknowledges. The files are there to
// complete a batch whose storing a crash has cut short; nobody was told that it
// is stored, so none has to be completed. To make, write and remove them on a
// disk takes most of the time of a batch. A server that replicates stages in
// its own memory; one that does not is given a link to a file system in memory
// (docs/adr/0009-group-commit.md).
type staging struct {
	streams string // the directory of the streams
	memory  string // ours in memory, "" if there is none
	lock    *os.File
}

// newStaging makes a directory in memory where that is possible. Without one
// everything is staged on the disk.
func newStaging(opts Options) *staging {
	s := &staging{streams: filepath.Join(storeDir(opts), "jetstream", "ATLAS", "streams")}
	if opts.Cluster != nil {
		return s
	}
	for _, dir := range memories() {
		if s.makeIn(dir) {
			break
		}
	}
	return s
}

// memories are where systemd keeps files in memory for a service, and where
// every Linux does.
func memories() []string {
	return append(filepath.SplitList(os.Getenv("RUNTIME_DIRECTORY")), "/dev/shm")
}

func (s *staging) makeIn(dir string) bool {
	if !inMemory(dir) {
		return false
	}
	made, err := os.MkdirTemp(dir, stagingPrefix+"*")
	if err != nil {
		return false
	}
	if s.lock, err = lockDir(made); err != nil {
		_ = os.RemoveAll(made)
		return false
	}
	s.memory = made
	return true
}

func inMemory(dir string) bool {
	var stat syscall.Statfs_t
	return syscall.Statfs(dir, &stat) == nil && int64(stat.Type) == tmpfsMagic && freeOf(stat) >= stagingRoom
}

func freeOf(stat syscall.Statfs_t) uint64 { return uint64(stat.Bavail) * uint64(stat.Bsize) }

// look links where there is no link yet: streams are made after the server has
// started, and it removes the links when it opens them.
func (s *staging) look() {
	if s.memory == "" {
		return
	}
	roomy := inMemory(s.memory)
	for _, name := range batched {
		s.keep(filepath.Join(s.streams, name, stagingDir), filepath.Join(s.memory, name), roomy)
	}
}

// keep has the files staged at link be in memory, or not. What the server is
// staging there at the moment stays until the next look, or is refused, and
// written singly.
func (s *staging) keep(link, target string, roomy bool) {
	is, err := os.Readlink(link)
	switch linked := err == nil && is == target; {
	case linked == roomy:
		return
	case !roomy:
		_ = os.Remove(link)
		return
	}
	_ = os.Remove(link) // fails if a batch is staged in it just now
	if os.MkdirAll(target, 0o700) == nil {
		_ = os.Symlink(target, link) // fails where there is no stream, or no need
	}
}

// sweep removes what servers left in memory that did not stop by themselves.
// What the one before this one left has been completed by now.
func sweep(memories []string) {
	for _, dir := range memories {
		left, _ := filepath.Glob(filepath.Join(dir, stagingPrefix+"*"))
		for _, one := range left {
			if lock, err := lockDir(one); err == nil {
				_ = errors.Join(os.RemoveAll(one), lock.Close())
			}
		}
	}
}

// close leaves nothing behind.
func (s *staging) close() {
	if s.memory == "" {
		return
	}
	for _, name := range batched {
		s.keep(filepath.Join(s.streams, name, stagingDir), filepath.Join(s.memory, name), false)
	}
	_ = errors.Join(os.RemoveAll(s.memory), s.lock.Close())
}
