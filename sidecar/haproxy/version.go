package haproxy

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The oldest HAProxy that can do all that is asked of it.
const (
	leastMajor = 2
	leastMinor = 6
)

var versionLine = regexp.MustCompile(`(?i)version (\d+)\.(\d+)[^ \n]*`)

// versionWithin bounds the question. The end of the sidecar does not cut it
// short: what it is about comes first, an HAProxy that has to be stopped.
const versionWithin = 5 * time.Second

// findProgram returns the path of an HAProxy that is recent enough.
func findProgram(name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), versionWithin)
	defer cancel()
	path, err := lookUp(name)
	if err != nil {
		return "", fmt.Errorf("find haproxy: %w; install HAProxy %d.%d or newer (Debian and Ubuntu: apt-get install haproxy), or name it by --haproxy", err, leastMajor, leastMinor)
	}
	said, err := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	return path, checkVersion(path, string(said))
}

// lookUp finds a program also where Debian has those of administrators, which
// is in nobody else's PATH.
func lookUp(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil && !strings.Contains(name, "/") {
		for _, dir := range []string{"/usr/local/sbin/", "/usr/sbin/"} {
			if other, otherErr := exec.LookPath(dir + name); otherErr == nil {
				return other, nil
			}
		}
	}
	return path, err
}

func checkVersion(path, said string) error {
	found := versionLine.FindStringSubmatch(said)
	if found == nil {
		return fmt.Errorf("%s is no haproxy: it says %.80q", path, said)
	}
	major, _ := strconv.Atoi(found[1])
	minor, _ := strconv.Atoi(found[2])
	if major < leastMajor || major == leastMajor && minor < leastMinor {
		return fmt.Errorf("%s is %s: HAProxy %d.%d or newer is needed", path, found[0], leastMajor, leastMinor)
	}
	return nil
}
