package acceptance

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// An answer is what curl got. Its status is 0 where there was none; the body
// is then curl's own word.
type answer struct {
	status int
	kind   string // the Content-Type
	body   string
}

// curl runs the real one.
func curl(t *testing.T, args ...string) answer {
	t.Helper()
	return curlWith(t, nil, args...)
}

// curlWith adds to curl's environment.
func curlWith(t *testing.T, env []string, args ...string) answer {
	t.Helper()
	// -q: whatever a ~/.curlrc says.
	command := append([]string{need(t, "curl"), "-q", "-sS", "--path-as-is", "--max-time", "20", "-w", "\n%{http_code} %{content_type}"}, args...)
	got := run(t, env, command...)
	if got.code != 0 {
		return answer{body: got.err}
	}
	at := strings.LastIndexByte(got.out, '\n')
	code, kind, _ := strings.Cut(got.out[at+1:], " ")
	status, err := strconv.Atoi(code)
	if err != nil {
		t.Fatalf("curl said %q", got.out)
	}
	return answer{status, kind, got.out[:at]}
}

// expect runs curl and fails the test unless it gets a status.
func expect(t *testing.T, status int, args ...string) string {
	t.Helper()
	got := curl(t, args...)
	if got.status != status {
		t.Fatalf("curl %s: got %d %s, want %d", strings.Join(args, " "), got.status, got.body, status)
	}
	return got.body
}

// decode reads JSON or fails the test.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}
