package greeting

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// programs are the service in each language that this machine has. One is
// enough for the service to be of use, none is not.
func programs(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for interpreter, file := range map[string]string{"python3": "greeting.py", "node": "greeting.mjs"} {
		if path, err := exec.LookPath(interpreter); err == nil {
			found[file] = []string{path, file}
		}
	}
	if len(found) == 0 {
		t.Fatal("neither python3 nor node is installed: apt-get install python3")
	}
	return found
}

// A program is the service running; what it logs are lines of JSON.
type program struct {
	cmd *exec.Cmd
	log *bufio.Scanner
	url string
}

type logLine struct {
	Message string `json:"msg"`
	Addr    string `json:"addr"`
	Served  int    `json:"served"`
}

func start(t *testing.T, command []string) *program {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "FAIRLEAD_PORT=0", "FAIRLEAD_INSTANCE=greeting-1")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: cmd, log: bufio.NewScanner(out)}
	p.url = "http://" + p.logged(t, "serving").Addr
	return p
}

// logged waits for a message in the log.
func (p *program) logged(t *testing.T, message string) logLine {
	t.Helper()
	for p.log.Scan() {
		var line logLine
		if err := json.Unmarshal(p.log.Bytes(), &line); err != nil {
			t.Fatalf("logged %q", p.log.Text())
		}
		if line.Message == message {
			return line
		}
	}
	t.Fatalf("never logged %q", message)
	return logLine{}
}

func (p *program) get(t *testing.T, path, requestID string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, strings.NewReader("unread"))
	if err != nil {
		t.Fatal(err)
	}
	if requestID != "" {
		req.Header.Set("X-Request-Id", requestID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestGreeting(t *testing.T) {
	for file, command := range programs(t) {
		t.Run(file, func(t *testing.T) {
			p := start(t, command)
			tests := []struct {
				path, id string
				status   int
				want     map[string]any
			}{
				{"/health", "", 200, map[string]any{"status": "pass"}},
				{"/greetings/B%C3%BCcher", "r-1", 200, map[string]any{"greeting": "Hello, Bücher!", "request_id": "r-1", "instance": "greeting-1", "served": 1.0}},
				{"/greetings/Ada?loud=1", "", 200, map[string]any{"greeting": "Hello, Ada!", "request_id": nil, "served": nil}},
				{"/count", "", 200, map[string]any{"served": 2.0, "instance": "greeting-1"}},
				{"/greetings/", "", 404, map[string]any{"status": 404.0}},
				{"/nowhere", "", 404, map[string]any{"status": 404.0}},
			}
			for _, tt := range tests {
				resp, body := p.get(t, tt.path, tt.id)
				var got map[string]any
				if err := json.Unmarshal([]byte(body), &got); err != nil {
					t.Fatalf("%s answers %q", tt.path, body)
				}
				for field, want := range tt.want {
					if got[field] != want {
						t.Errorf("%s: %s is %v, want %v", tt.path, field, got[field], want)
					}
				}
				if resp.StatusCode != tt.status || resp.Header.Get("X-Request-Id") != tt.id || resp.Close {
					t.Errorf("%s answers %v", tt.path, resp)
				}
			}
			p.end(t, 2)
		})
	}
}

// end asks the program to end, which it does with its count as its last word.
func (p *program) end(t *testing.T, served int) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line := p.logged(t, "requests served"); line.Served != served {
		t.Errorf("it says it served %d, want %d", line.Served, served)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestSourcesAreEmbedded(t *testing.T) {
	for _, file := range []string{"greeting.py", "greeting.mjs"} {
		if text, err := Sources.ReadFile(file); err != nil || len(text) == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
}
