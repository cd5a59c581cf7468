package architecture

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// unfinished are the words by which people mark what they left for later.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// testers are what the standard tests call their testing.T, B, F and TB.
var testers = []string{"t", "b", "f", "tb"}

// findings returns what a file must not contain, one line each. Its name is
// relative to the module.
func findings(name string, source []byte) ([]string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var found []string
	report := func(at token.Pos, what string) {
		found = append(found, fmt.Sprintf("%s:%d: %s", name, files.Position(at).Line, what))
	}
	for _, comment := range file.Comments {
		if unfinished.MatchString(comment.Text()) {
			report(comment.Pos(), "leaves something for later")
		}
	}
	// To sleep within synctest.Test moves a virtual clock, and takes no time.
	virtualUntil := token.NoPos
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		on, method := callee(call)
		switch {
		case on == "synctest" && method == "Test":
			virtualUntil = max(virtualUntil, call.End())
		case isTest(name) && on == "time" && method == "Sleep" && call.Pos() >= virtualUntil:
			report(call.Pos(), "sleeps: use testing/synctest, or wait for a condition")
		case slices.Contains(testers, on) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, method):
			report(call.Pos(), "skips: a test that cannot run has to fail and say what it needs")
		}
		return true
	})
	return found, nil
}

// callee returns what a call x.Method() names, or nothing.
func callee(call *ast.CallExpr) (on, method string) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	ident, ok := selector.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	return ident.Name, selector.Sel.Name
}

// isTest tells whether a file is test code: a test, or a suite of tests that
// other packages run, whose folder's name ends in "test".
func isTest(name string) bool {
	return strings.HasSuffix(name, "_test.go") || strings.HasSuffix(filepath.Dir(name), "test")
}
