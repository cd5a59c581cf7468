package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// root is the module's folder, seen from this package's.
const root = "../.."

// listed is what the go command says of a package.
type listed struct {
	ImportPath string
	Name       string
	Doc        string
	Imports    []string
	Deps       []string
}

func (l listed) path() string {
	return strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, module), "/")
}

var listOnce = sync.OnceValues(func() ([]listed, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Imports,Deps", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, errors.New("go list: " + strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return nil, err
	}
	return decodeList(out)
})

func decodeList(out []byte) ([]listed, error) {
	dec := json.NewDecoder(strings.NewReader(string(out)))
	var all []listed
	for {
		var one listed
		if err := dec.Decode(&one); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
}

func packages(t *testing.T) []listed {
	t.Helper()
	all, err := listOnce()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImportsRunOneWay(t *testing.T) {
	for _, p := range packages(t) {
		for _, wrong := range violations(pkg{path: p.path(), imports: p.Imports}, rules) {
			t.Error(wrong)
		}
	}
}

func TestDependenciesStayWithinLimits(t *testing.T) {
	all := packages(t)
	for _, l := range limits {
		i := slices.IndexFunc(all, func(p listed) bool { return p.path() == l.pkg })
		if i < 0 {
			t.Errorf("%s is not there", l.pkg)
			continue
		}
		if excess := l.excess(all[i].Deps); len(excess) > 0 {
			t.Errorf("%s depends on %s, but %s", l.pkg, strings.Join(excess, ", "), l.why)
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.path())
		}
		if isVague(p.path()) || isVague(p.Name) {
			t.Errorf("%s has a name that does not say what is inside", p.path())
		}
	}
}

// Reading every file here has a second use: what the go command reads is not
// seen by the cache of test results, what a test opens is. So a change in any
// file makes all tests of this package run again.
func TestFilesAreClean(t *testing.T) {
	if _, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	count := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipFolder(path, entry.Name())
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		count++
		return checkFile(t, path)
	})
	if err != nil {
		t.Fatal(err)
	}
	if count == 0 {
		t.Error("found no Go file")
	}
}

// skipFolder leaves out what the go command leaves out too.
func skipFolder(path, name string) error {
	if path != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "bin") {
		return fs.SkipDir
	}
	return nil
}

func checkFile(t *testing.T, path string) error {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	found, err := findings(filepath.ToSlash(name), source)
	for _, finding := range found {
		t.Error(finding)
	}
	return err
}
