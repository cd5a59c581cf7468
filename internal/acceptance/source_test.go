package acceptance

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// The go command keeps the results of tests until something that they read
// has changed. It does not see what was read to build the command for them, so
// this test reads all folders of the module.
func TestResultsAreOfTheSourceAsItIs(t *testing.T) {
	count := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." || entry.Name() == "bin"):
			return fs.SkipDir
		case filepath.Ext(path) == ".go":
			count++
		}
		return nil
	})
	if err != nil || count == 0 {
		t.Fatalf("found %d Go files: %v", count, err)
	}
}
