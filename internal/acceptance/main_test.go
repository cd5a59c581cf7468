package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// fairlead is the path of the command, built once for all tests.
var fairlead string

// TestMain builds the command and runs the tests, unless a test has started
// this very program to be the service "worker".
//
// Tables stay out of the cache of whoever runs the tests.
func TestMain(m *testing.M) {
	if err := os.Setenv("FAIRLEAD_CACHE", "off"); err != nil {
		panic(err)
	}
	if os.Getenv(workerVariable) != "" {
		work()
		return
	}
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	folder, err := os.MkdirTemp("", "fairlead-acceptance-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	fairlead = filepath.Join(folder, "fairlead")
	if err := build(fairlead); err != nil {
		return 1, err
	}
	if code := m.Run(); code != 0 {
		return code, nil
	}
	return 0, goleak.Find()
}

// build builds the command, or a variant of it.
func build(path string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, "fairlead.dev/cmd/fairlead")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the command: %w: %s", err, out)
	}
	return nil
}
