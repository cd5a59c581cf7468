package roster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/attend"
)

// mostBytes is far above what a declaration takes.
const mostBytes = 64 << 10

// scan reads the declarations of a directory, by file name. One that cannot be
// read is among them, with the reason. The error is that of the directory.
func scan(dir string) (map[string]sighting, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if isForEverybody(info) {
		return nil, &Problem{Problem: "the directory " + forEverybody}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	seen := map[string]sighting{}
	for _, entry := range entries {
		name := entry.Name()
		if extension := filepath.Ext(name); name[0] == '.' || extension != ".yaml" && extension != ".yml" {
			continue
		}
		text, err := readFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since the listing, or a link that leads nowhere
		}
		seen[name] = sighting{text: text, err: err}
	}
	return seen, nil
}

// forEverybody is what is wrong with what isForEverybody finds.
const forEverybody = "must not be writable by everybody: declarations can name commands to run"

func isForEverybody(info fs.FileInfo) bool { return info.Mode().Perm()&0o002 != 0 }

func readFile(path string) ([]byte, error) {
	// Opening a pipe would wait for its writer, which may never come.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &Problem{Problem: "must be a regular file"}
	case isForEverybody(info):
		return nil, &Problem{Problem: forEverybody}
	}
	text, err := io.ReadAll(io.LimitReader(file, mostBytes+1))
	if len(text) > mostBytes {
		return nil, &Problem{Problem: fmt.Sprintf("must be at most %d bytes", mostBytes)}
	}
	return text, err
}

// A sighting is a file as one look found it.
type sighting struct {
	text []byte
	err  error
}

func (s sighting) same(other sighting) bool {
	return bytes.Equal(s.text, other.text) && fmt.Sprint(s.err) == fmt.Sprint(other.err)
}

// A file is what the looks so far amount to.
type file struct {
	// last is what the last look found, and taken what was taken from it: a
	// change counts once two looks in a row agree, so that nothing half written
	// does.
	last, taken   sighting
	present, gone bool
	// spec is what is in force; declared is false before there was a good one.
	spec     attend.Spec
	declared bool
	problem  error
}

// fold returns the files after another look. The first look is believed at once.
func fold(files map[string]file, seen map[string]sighting, realm string, first bool) map[string]file {
	next := map[string]file{}
	for name, f := range files {
		if _, there := seen[name]; there {
			continue
		}
		if f.gone { // for the second time
			continue
		}
		f.gone, f.last = true, sighting{}
		next[name] = f
	}
	for name, s := range seen {
		next[name] = files[name].after(s, realm, first)
	}
	return next
}

func (f file) after(s sighting, realm string, first bool) file {
	settled := first || f.present && !f.gone && s.same(f.last)
	f.last, f.present, f.gone = s, true, false
	if !settled || f.isTaken(s) {
		return f
	}
	f.taken = s
	var spec attend.Spec
	if f.problem = s.err; f.problem == nil {
		spec, f.problem = parse(s.text, realm)
	}
	if f.problem == nil {
		f.spec, f.declared = spec, true
	}
	return f
}

func (f file) isTaken(s sighting) bool {
	return (f.declared || f.problem != nil) && f.taken.same(s)
}

// A wish is an instance that should be attended, and the file that says so.
type wish struct {
	file string
	spec attend.Spec
}

// wishes returns what the files ask for. Of two that declare the same
// instance the first by name is in force, and the other has a problem.
func wishes(files map[string]file) (wanted map[registry.Key]wish, problems map[string]error) {
	wanted, problems = map[registry.Key]wish{}, map[string]error{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		if f.problem != nil {
			problems[name] = f.problem
		}
		if !f.declared {
			continue
		}
		if other, taken := wanted[f.spec.Key]; taken {
			problems[name] = &Problem{Field: "instance", Problem: fmt.Sprintf("%s is declared by %s already", f.spec.Key, other.file)}
			continue
		}
		wanted[f.spec.Key] = wish{file: name, spec: f.spec}
	}
	return wanted, problems
}
