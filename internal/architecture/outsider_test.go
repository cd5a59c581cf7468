package architecture

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the README tells users to write is built here as they would: in a module
// of its own, outside the repository, and beside it a program that only calls
// services. Neither may carry the bus's server.
func TestOutsidersCanImport(t *testing.T) {
	programs := map[string]string{
		"service": readmeBlock(t, "go"),
		"client":  clientProgram,
	}
	for name, source := range programs {
		t.Run(name, func(t *testing.T) {
			folder := newModule(t, source)
			run(t, folder, "build", "-o", os.DevNull, ".")
			for dep := range strings.Lines(run(t, folder, "list", "-deps", ".")) {
				if within(strings.TrimSpace(dep), natsServer) {
					t.Errorf("the program carries %s", dep)
				}
			}
		})
	}
}

const clientProgram = `package main

import (
	"context"
	"fmt"
	"net/http"

	"fairlead.dev/connect"
	"fairlead.dev/smartclient"
)

func main() {
	ctx := context.Background()
	session, err := connect.Open(ctx, connect.Options{Name: "report"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	_, _ = session.Client().Get("service://identity/users/1")

	client := &http.Client{Transport: smartclient.NewTransport(smartclient.Options{Realm: "local"})}
	_, _ = client.Get("https://example.com/")
}
`

// newModule makes a module with the README's go.mod, whose replace leads here.
func newModule(t *testing.T, source string) string {
	t.Helper()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	gomod := readmeBlock(t, "go.mod")
	replaced := strings.Replace(gomod, "=> ../fairlead", "=> "+here, 1)
	if replaced == gomod {
		t.Fatal("the README's go.mod does not replace fairlead.dev by ../fairlead")
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	files := map[string]string{"go.mod": replaced, "main.go": source, "go.sum": string(sums)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// readmeBlock returns the README's first block of a language.
func readmeBlock(t *testing.T, language string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	fence := regexp.MustCompile("(?ms)^```" + regexp.QuoteMeta(language) + "\n(.*?)^```$")
	match := fence.FindSubmatch(readme)
	if match == nil {
		t.Fatalf("the README has no block of %s", language)
	}
	return string(match[1])
}

// run runs the go command in a folder. It may fill in go.mod as `go mod tidy`
// would, but with the versions and sums of this module.
func run(t *testing.T, folder string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
