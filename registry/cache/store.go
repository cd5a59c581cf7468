package cache

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"fairlead.dev/registry"
)

// Options of a store. Dir is required.
type Options struct {
	// Dir is where the files are. It is made when the first is written. Those
	// who follow different registries need different ones.
	Dir    string
	Logger *slog.Logger // nil: slog.Default()
}

// A Store implements [registry.Cache] with files.
type Store struct {
	dir     string
	log     *slog.Logger
	damaged atomic.Uint64
}

var _ registry.Cache = (*Store)(nil)

// New returns a store. It touches nothing yet.
func New(opts Options) *Store {
	return &Store{dir: opts.Dir, log: cmp.Or(opts.Logger, slog.Default()).With("component", "cache")}
}

// Damaged counts the files that were found damaged.
func (s *Store) Damaged() uint64 { return s.damaged.Load() }

const (
	suffixOld     = ".old"
	suffixDamaged = ".damaged"
	// mostBytes is far above a million instances; a larger file is none of ours.
	mostBytes = 1 << 30
)

func (s *Store) path(in registry.Interest) (string, error) {
	var errs registry.FieldErrors
	errs.Add(registry.ValidateName("realm", in.Realm))
	if in.Service == "" {
		return filepath.Join(s.dir, in.Realm, "realm.table"), errs.Err()
	}
	errs.Add(registry.ValidateName("service", in.Service))
	return filepath.Join(s.dir, in.Realm, "services", in.Service+".table"), errs.Err()
}

// Load implements [registry.Cache]: the newest file that is whole.
func (s *Store) Load(in registry.Interest) (registry.Saved, error) {
	path, err := s.path(in)
	if err != nil {
		return registry.Saved{}, fmt.Errorf("load table: %w", err)
	}
	for _, name := range []string{path, path + suffixOld} {
		saved, err := read(in, name)
		switch {
		case err == nil:
			return saved, nil
		case errors.Is(err, fs.ErrNotExist):
		case isPathError(err):
			s.log.Warn("saved table cannot be read", "error", err)
		default:
			s.putAside(name, err)
		}
	}
	return registry.Saved{}, fmt.Errorf("load table from %s: %w", path, registry.ErrNotCached)
}

// isPathError tells a file that cannot be read from one that makes no sense.
func isPathError(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path)
}

func read(in registry.Interest, path string) (registry.Saved, error) {
	info, err := os.Stat(path)
	if err != nil {
		return registry.Saved{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostBytes {
		return registry.Saved{}, errFormat
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return registry.Saved{}, err
	}
	snapshot, err := decode(in, data)
	return registry.Saved{Snapshot: snapshot, Confirmed: info.ModTime()}, err
}

// putAside keeps a damaged file for whoever wants to know what happened, and
// out of the way of the one before it.
func (s *Store) putAside(path string, why error) {
	s.damaged.Add(1)
	s.log.Warn("saved table is not to be used", "path", path, "error", why)
	if err := os.Rename(path, path+suffixDamaged); err != nil {
		s.log.Warn("saved table stays in the way", "path", path, "error", err)
	}
}

// Save implements [registry.Cache].
func (s *Store) Save(in registry.Interest, saved registry.Saved) error {
	path, err := s.path(in)
	if err != nil {
		return fmt.Errorf("save table: %w", err)
	}
	data, err := encode(in, saved.Snapshot)
	if err != nil {
		return fmt.Errorf("save table to %s: %w", path, err)
	}
	if err := replace(path, data, saved.Confirmed); err != nil {
		return fmt.Errorf("save table: %w", err)
	}
	return nil
}

// Confirm implements [registry.Cache].
func (s *Store) Confirm(in registry.Interest, at time.Time) error {
	path, err := s.path(in)
	if err == nil {
		err = os.Chtimes(path, time.Time{}, at)
	}
	if err != nil {
		return fmt.Errorf("confirm table: %w", err)
	}
	return nil
}

// replace writes a file beside the one at path, and only when it is on disk
// lets it take that place. What was there before becomes the older one.
func replace(path string, data []byte, at time.Time) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	fresh, err := writeTemporary(dir, data)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(fresh) }() // gone already if all went well
	if err := os.Chtimes(fresh, time.Time{}, at); err != nil {
		return err
	}
	if err := os.Rename(path, path+suffixOld); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// writeTemporary returns the name of a file of its own, for its owner only,
// whose content is on disk.
func writeTemporary(dir string, data []byte) (string, error) {
	f, err := os.CreateTemp(dir, ".table-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncDir makes renames last beyond a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
