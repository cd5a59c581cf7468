package attend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fairlead.dev/registry"
)

// A checker looks at an instance once, bounded by its context.
type checker func(context.Context) finding

func newChecker(s Spec) checker {
	switch {
	case len(s.Check.Command) > 0:
		return commandChecker(s.Check.Command)
	case s.Registration.Health != "":
		return httpChecker(s.Registration)
	}
	return tcpChecker(s.Registration)
}

// mostBody is how much of an answer is read.
const mostBody = 64 << 10

// httpChecker asks for the health path, and nothing else.
func httpChecker(r registry.Registration) checker {
	client, target := newHTTPClient(), r.Endpoint()+r.Health
	return func(ctx context.Context) finding {
		resp, err := getHealth(ctx, client, target)
		if err != nil {
			return unanswered("GET "+target, err)
		}
		defer resp.Body.Close()
		return judgeResponse("GET "+target, resp)
	}
}

// newHTTPClient makes a connection of its own for each request: an instance
// that accepts no new ones is of no use to anybody.
func newHTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		// Where a redirect leads says nothing of the instance.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func getHealth(ctx context.Context, client *http.Client, target string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "fairlead-check")
	return client.Do(req)
}

func judgeResponse(what string, resp *http.Response) finding {
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostBody))
	switch {
	case err != nil:
		return unanswered(what, err)
	case resp.StatusCode/100 != 2:
		return critical(fmt.Sprintf("%s answered %s", what, resp.Status))
	}
	return judgeHealth(what, resp.Header.Get("Content-Type"), body)
}

// judgeHealth reads health+json (draft-inadarei-api-health-check-06), which
// may warn in an answer that is otherwise good.
func judgeHealth(what, contentType string, body []byte) finding {
	var health struct{ Status, Output string }
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/health+json" || json.Unmarshal(body, &health) != nil || health.Status != "warn" {
		return passing()
	}
	return finding{status: registry.Warning, reason: fmt.Sprintf("%s warned: %.200s", what, health.Output)}
}

func tcpChecker(r registry.Registration) checker {
	address := net.JoinHostPort(r.Host, strconv.Itoa(r.Port))
	return func(ctx context.Context) finding {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return unanswered("connect to "+address, err)
		}
		_ = conn.Close()
		return passing()
	}
}

func unanswered(what string, err error) finding {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return critical(what + ": connection refused")
	case errors.Is(err, context.DeadlineExceeded):
		return critical(what + ": no answer in time")
	}
	var repeating *url.Error
	if errors.As(err, &repeating) {
		err = repeating.Err
	}
	return critical(fmt.Sprintf("%s: %v", what, err))
}

// commandWaitDelay is how long what a command left behind may hold its output.
const commandWaitDelay = 100 * time.Millisecond

func commandChecker(command []string) checker {
	return func(ctx context.Context) finding {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.WaitDelay = commandWaitDelay
		output, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return unanswered(command[0], ctx.Err())
		}
		return judgeCommand(command[0], cmd.ProcessState.ExitCode(), output, err)
	}
}

func judgeCommand(name string, code int, output []byte, err error) finding {
	reason := fmt.Sprintf("%s ended with exit status %d%s", name, code, lastLine(output))
	switch {
	case err == nil || code == 0:
		return passing()
	case code == 1:
		return finding{status: registry.Warning, reason: reason}
	case code > 1:
		return critical(reason)
	}
	return critical(fmt.Sprintf("%s: %v", name, err))
}

// lastLine is where a program says what went wrong, by convention.
func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return fmt.Sprintf(": %.200s", last)
	}
	return ""
}
