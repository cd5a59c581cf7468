package cache

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/registrytest"
)

func newStore(t *testing.T) (*Store, *bytes.Buffer) {
	log := new(bytes.Buffer)
	return New(Options{Dir: filepath.Join(t.TempDir(), "fairlead"), Logger: slog.New(slog.NewTextHandler(log, nil))}), log
}

func TestContract(t *testing.T) {
	registrytest.RunCache(t, func(t *testing.T) registry.Cache {
		s, _ := newStore(t)
		return s
	})
}

var realm = registry.Interest{Realm: "local"}

func generation(sequence uint64) registry.Saved {
	return registry.Saved{Confirmed: time.Unix(1_700_000_000, 0), Snapshot: registry.Snapshot{
		Realm: "local", Revision: registry.Revision{Epoch: "3f9c", Sequence: sequence},
		Services: []registry.ServiceSnapshot{{Name: "identity", Revision: sequence, Instances: []registry.Instance{{Service: "identity", ID: "a"}}}},
	}}
}

// twoGenerations returns a store with sequence 1 and then 2 saved, and the
// path of the newest file.
func twoGenerations(t *testing.T) (*Store, string, *bytes.Buffer) {
	s, log := newStore(t)
	for sequence := range uint64(2) {
		if err := s.Save(realm, generation(sequence+1)); err != nil {
			t.Fatal(err)
		}
	}
	return s, filepath.Join(s.dir, "local", "realm.table"), log
}

var damages = map[string]func([]byte) []byte{
	"empty":              func([]byte) []byte { return nil },
	"cut short":          func(b []byte) []byte { return b[:len(b)-1] },
	"half":               func(b []byte) []byte { return b[:len(b)/2] },
	"a bit flipped":      func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
	"a longer one":       func(b []byte) []byte { return append(b, 0) },
	"of another version": func(b []byte) []byte { return append([]byte("fairlead table 9\n"), b[len(magic):]...) },
	"text":               func([]byte) []byte { return []byte("hello\n") },
}

func TestADamagedFileGivesWayToTheOlder(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			s, path, log := twoGenerations(t)
			spoil(t, path, damage)
			got, err := s.Load(realm)
			if err != nil || got.Revision.Sequence != 1 || s.Damaged() != 1 {
				t.Errorf("loaded %+v, %v, damaged %d", got.Revision, err, s.Damaged())
			}
			if !strings.Contains(log.String(), path) {
				t.Errorf("the log says nothing of it: %s", log)
			}
			if err := s.Save(realm, generation(3)); err != nil {
				t.Fatal(err)
			}
			spoil(t, path, damage)
			if got, err := s.Load(realm); err != nil || got.Revision.Sequence != 1 {
				t.Errorf("the older one was lost: %+v, %v", got.Revision, err)
			}
		})
	}
}

func TestTwoDamagedFilesAreNone(t *testing.T) {
	for name, damage := range damages {
		s, path, _ := twoGenerations(t)
		spoil(t, path, damage)
		spoil(t, path+suffixOld, damage)
		if _, err := s.Load(realm); !errors.Is(err, registry.ErrNotCached) || s.Damaged() != 2 {
			t.Errorf("%s: %v, damaged %d", name, err, s.Damaged())
		}
	}
}

func spoil(t *testing.T, path string, damage func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, damage(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFileOfAnotherInterestIsNotUsed(t *testing.T) {
	s, path, _ := twoGenerations(t)
	services := filepath.Join(s.dir, "local", "services")
	if err := os.MkdirAll(services, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, filepath.Join(services, "identity.table")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(registry.Interest{Realm: "local", Service: "identity"}); !errors.Is(err, registry.ErrNotCached) {
		t.Errorf("load: %v", err)
	}
}

func TestFilesBelongToTheirOwner(t *testing.T) {
	s, path, _ := twoGenerations(t)
	for name, want := range map[string]os.FileMode{path: 0o600, path + suffixOld: 0o600, s.dir: 0o700, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, expected %o", name, info.Mode(), err, want)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 2 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
}

func TestNamesCannotLeadElsewhere(t *testing.T) {
	s, _ := newStore(t)
	for _, in := range []registry.Interest{{}, {Realm: ".."}, {Realm: "local", Service: "../x"}, {Realm: "a/b"}} {
		if err := s.Save(in, generation(1)); err == nil {
			t.Errorf("%+v was saved", in)
		}
		if _, err := s.Load(in); err == nil {
			t.Errorf("%+v was loaded", in)
		}
	}
}

// A directory where the file should be stands for a disk that refuses.
func TestAFailedSaveLeavesWhatWasThere(t *testing.T) {
	s, path, _ := twoGenerations(t)
	if err := os.Remove(path + suffixOld); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path+suffixOld, "in-the-way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(realm, generation(3)); err == nil {
		t.Error("saved")
	}
	if got, err := s.Load(realm); err != nil || got.Revision.Sequence != 2 {
		t.Errorf("loaded %+v, %v", got.Revision, err)
	}
}

// TestSeveralProcessesShareADirectory has writers and readers at once: who
// reads finds a whole file.
func TestSeveralProcessesShareADirectory(t *testing.T) {
	s, _, log := twoGenerations(t)
	var all sync.WaitGroup
	errs := make(chan error, 400)
	for range 4 {
		all.Go(func() {
			for i := range 50 {
				if err := s.Save(realm, generation(uint64(i+1))); err != nil {
					errs <- fmt.Errorf("save: %w", err)
				}
				if _, err := s.Load(realm); err != nil {
					errs <- fmt.Errorf("load: %w", err)
				}
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if s.Damaged() != 0 {
		t.Errorf("damaged files: %s", log)
	}
}
