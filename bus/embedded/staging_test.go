package embedded

import (
	"os"
	"path/filepath"
	"testing"
)

func stagingOf(t *testing.T) (s *staging, link, target string) {
	t.Helper()
	root := t.TempDir()
	s = &staging{streams: filepath.Join(root, "streams"), memory: filepath.Join(root, stagingPrefix+"1")}
	if err := os.MkdirAll(filepath.Join(s.streams, batched[0]), 0o700); err != nil {
		t.Fatal(err)
	}
	return s, filepath.Join(s.streams, batched[0], stagingDir), filepath.Join(s.memory, batched[0])
}

func TestStagingIsInMemoryWhileThereIsRoom(t *testing.T) {
	s, link, target := stagingOf(t)
	s.keep(link, target, true)
	if is, err := os.Readlink(link); is != target {
		t.Fatalf("got %q, %v, want a link to %s", is, err, target)
	}
	if err := os.WriteFile(filepath.Join(link, "x"), nil, 0o600); err != nil {
		t.Error(err)
	}
	s.keep(link, target, false)
	if _, err := os.Lstat(link); !os.IsNotExist(err) {
		t.Errorf("without room the link is still there: %v", err)
	}
}

func TestADirectoryThatIsStagedInIsLeftAlone(t *testing.T) {
	s, link, target := stagingOf(t)
	if err := os.MkdirAll(filepath.Join(link, "batch"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.keep(link, target, true)
	if _, err := os.Readlink(link); err == nil {
		t.Fatal("a batch that is staged was lost")
	}
	if err := os.Remove(filepath.Join(link, "batch")); err != nil {
		t.Fatal(err)
	}
	s.keep(link, target, true)
	if is, err := os.Readlink(link); is != target {
		t.Errorf("got %q, %v, want a link to %s", is, err, target)
	}
}

func TestOnlyWhatNobodyHoldsIsSweptFromMemory(t *testing.T) {
	root := t.TempDir()
	used, left := filepath.Join(root, stagingPrefix+"1"), filepath.Join(root, stagingPrefix+"2")
	for _, dir := range []string{used, filepath.Join(left, "batch")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := lockDir(used)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	sweep([]string{root, filepath.Join(root, "none")})
	if all, _ := filepath.Glob(filepath.Join(root, "*")); len(all) != 1 || all[0] != used {
		t.Errorf("got %v, want %s", all, used)
	}
}
