package architecture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Decisions are cited by number, so each has one of its own, and says it.
func TestDecisionsAreNumberedOnce(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "adr", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found no decisions: %v", err)
	}
	seen := map[int]string{}
	for _, file := range files {
		var number int
		if _, err := fmt.Sscanf(filepath.Base(file), "%04d-", &number); err != nil {
			t.Errorf("%s does not begin with a number", file)
			continue
		}
		if other := seen[number]; other != "" {
			t.Errorf("%s and %s have the same number", other, file)
		}
		seen[number] = file
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if heading := fmt.Sprintf("# %d. ", number); !strings.HasPrefix(string(text), heading) {
			t.Errorf("%s does not begin with %q", file, heading)
		}
	}
}
