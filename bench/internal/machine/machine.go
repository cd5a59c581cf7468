// Package machine tells what figures were measured on.
package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"fairlead.dev/bench/internal/stat"
)

// Facts of a machine.
type Facts struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Memory    string `json:"memory"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	// SyncMilliseconds is how long a synced write of 4 KiB takes (median)
	// where data is kept meanwhile.
	SyncMilliseconds float64 `json:"sync_ms"`
}

// Look gathers the facts. dir is where data will be kept.
func Look(dir string) (Facts, error) {
	sync, err := syncedWrite(filepath.Join(dir, "sync"))
	if err != nil {
		return Facts{}, fmt.Errorf("measure synced writes: %w", err)
	}
	return Facts{
		Processor: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Memory: memory(),
		Kernel: kernel(), Go: runtime.Version(), SyncMilliseconds: sync,
	}, nil
}

// field returns the first value of a name in a file of "name : value" lines.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func memory() string {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return "unknown"
	}
	return fmt.Sprintf("%d GiB", uint64(info.Totalram)*uint64(info.Unit)>>30)
}

func kernel() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:])
}

const (
	syncs    = 50
	syncSize = 4096
)

func syncedWrite(file string) (milliseconds float64, err error) {
	f, err := os.Create(file)
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(file)
	}()
	var took []float64
	for range syncs {
		began := time.Now()
		if _, err := f.Write(make([]byte, syncSize)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(began))/float64(time.Millisecond))
	}
	return stat.Median(took), nil
}
