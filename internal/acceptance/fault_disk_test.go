package acceptance

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// diskSize is the least that the server takes: it reserves 512 MiB for events,
// and promises away three quarters of a disk at most.
const diskSize = "size=1g"

// A disk is a small file system of a test's own. It takes root.
type disk struct{ path string }

func newDisk(t *testing.T) *disk {
	t.Helper()
	d := &disk{path: t.TempDir()}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", diskSize, "tmpfs", d.path).CombinedOutput(); err != nil {
		t.Fatalf("mount a small file system: %v: %s(it needs root)", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", d.path).Run() })
	return d
}

// fill leaves no room at all.
func (d *disk) fill(t *testing.T) {
	t.Helper()
	file, err := os.Create(filepath.Join(d.path, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.Copy(file, endless{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
}

func (d *disk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(d.path, "filler")); err != nil {
		t.Fatal(err)
	}
}

// endless is a reader of zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestFaultTheDiskIsFullForAWhile(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	r := &realm{data: filepath.Join(d.path, "data")}
	r.start(t)
	f := fleetOf(t, r)
	pause(t, 2*time.Second)
	d.fill(t)
	pause(t, 5*time.Second)
	within(t, healedWithin, "the doctor says that nothing can be written", func() bool {
		got := r.cli(t, "doctor")
		return got.code != 0 && contains(got.out+got.err, "write")
	})
	d.free(t)
	soon(t, healedWithin, "flags can be set again", func() error {
		if got := r.cli(t, "enable", "identity", "identity-1", "--reason", "there is room again"); got.code != 0 {
			return errors.New(got.err)
		}
		return nil
	})
	pause(t, 2*time.Second)
	f.endures(t)
}
