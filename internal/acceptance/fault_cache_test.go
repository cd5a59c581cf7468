package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairlead.dev/registry"
	"fairlead.dev/registry/cache"
)

// A program that starts while the control plane is away has nothing but what
// it saved.
func TestFaultTheSavedTableIsDamaged(t *testing.T) {
	t.Parallel()
	r := startRestartable(t)
	s := &saver{realm: r, dir: t.TempDir()}
	s.run(t)
	r.startIdentity(t, "identity-1")
	newest := s.awaitSaved(t, 1)
	r.startIdentity(t, "identity-2")
	s.awaitSaved(t, 2)
	s.process.stop()
	r.crash()

	damage(t, newest)
	s.run(t)
	within(t, patience, "the older table is used", func() bool {
		at := statusOf(t, s.url)
		return at.Source == registry.Cached && at.Instances == 1
	})
	expect(t, 200, "-H", "Fairlead-Service: identity", s.url+"/users/1")
	s.says(t, "saved table is not to be used")
	s.process.stop()

	for _, file := range s.saved(t) {
		damage(t, file)
	}
	s.run(t)
	within(t, patience, "it has no table", func() bool { return statusOf(t, s.url).Instances == 0 })
	s.says(t, "saved table is not to be used")
	r.start(t)
	within(t, healedWithin, "it has the table again", func() bool { return statusOf(t, s.url).Instances == 2 })
	expect(t, 200, "-H", "Fairlead-Service: identity", s.url+"/users/1")
}

// A saver is a sidecar that saves what it follows.
type saver struct {
	realm   *realm
	dir     string
	process *process
	url     string
}

func (s *saver) run(t *testing.T) {
	t.Helper()
	p, file := startPart(t, "sidecar", []string{"FAIRLEAD_CACHE=" + s.dir},
		"sidecar", "--addr", "127.0.0.1:0", "--whole-realm", "--nats-url", s.realm.NATS)
	var at addresses
	p.awaitReady(t, file, &at)
	s.process, s.url = p, at.Sidecar
}

// awaitSaved waits until a table of so many instances was saved, and returns
// the newest file.
func (s *saver) awaitSaved(t *testing.T, instances int) (newest string) {
	t.Helper()
	within(t, patience, "the table is saved", func() bool {
		files := s.saved(t)
		if len(files) == 0 {
			return false
		}
		newest = files[0] // the older one has a longer name
		folder := filepath.Dir(filepath.Dir(newest))
		saved, err := cache.New(cache.Options{Dir: folder}).Load(registry.Interest{Realm: "local"})
		return err == nil && saved.Table().Len() == instances
	})
	return newest
}

// saved are the files of both generations.
func (s *saver) saved(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "*", "local", "realm.table*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (s *saver) says(t *testing.T, words string) {
	t.Helper()
	if !strings.Contains(s.process.said.String(), words) {
		t.Errorf("it does not say %q", words)
	}
}

// damage flips a bit in the middle of a file.
func damage(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
