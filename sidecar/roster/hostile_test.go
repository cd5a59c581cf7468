//go:build unix

package roster

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Opening a pipe waits for who writes into it, which may be nobody ever.
func TestAPipeDoesNotKeepTheOthersWaiting(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "a.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.yaml"), []byte(one), 0o600); err != nil {
		t.Fatal(err)
	}
	found := make(chan map[string]sighting, 1)
	go func() {
		seen, _ := scan(dir)
		found <- seen
	}()
	select {
	case seen := <-found:
		if seen["a.yaml"].err == nil || seen["b.yaml"].err != nil {
			t.Errorf("seen are %v", seen)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the look does not end")
	}
}

// Who may add files may name commands, whatever the files' own modes.
func TestADirectoryForEverybodyIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(one), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, good := range map[os.FileMode]bool{0o755: true, 0o775: true, 0o777: false, 0o777 | os.ModeSticky: false} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		_, err := scan(dir)
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "writable by everybody") {
			t.Errorf("%v: %v", mode, err)
		}
	}
}
