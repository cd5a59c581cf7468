package proxies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func request(ctx context.Context, url string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err == nil {
		req.Header.Set("Fairlead-Service", Service)
	}
	return req, err
}

var errAnswer = errors.New("not the backend's answer")

// send sends a request and wants the backend's whole answer.
func send(client *http.Client, req *http.Request) error {
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err == nil && (res.StatusCode != http.StatusOK || string(body) != answer) {
		err = fmt.Errorf("%w: %d %.200q", errAnswer, res.StatusCode, body)
	}
	return err
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkFailures = regexp.MustCompile(`Socket errors|Non-2xx`)
	errWrk      = errors.New("wrk")
)

// Wrk loads a URL as fast as it goes on one thread, and returns the number of
// requests; it counts whole seconds. Any failure of one is an error.
func Wrk(ctx context.Context, url string, connections int, d time.Duration) (int, error) {
	out, err := exec.CommandContext(ctx, "taskset", "-c", LoadCore, "wrk", "-t1", "-c"+strconv.Itoa(connections),
		fmt.Sprintf("-d%ds", int(d.Seconds())), "--timeout", "10s", "-H", "Fairlead-Service: "+Service, url).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w: %w: %s", errWrk, err, out)
	}
	return parseWrk(string(out))
}

func parseWrk(out string) (int, error) {
	found := wrkRequests.FindStringSubmatch(out)
	if found == nil || wrkFailures.MatchString(out) {
		return 0, fmt.Errorf("%w: %s", errWrk, out)
	}
	return strconv.Atoi(found[1])
}

// A Pace is a load of so many requests a second on so many kept connections.
type Pace struct{ PerSecond, Connections int }

// Outcome is what became of a paced load.
type Outcome struct {
	Sent, Failed int
	First        error // of the failures
}

// Load keeps a pace until ctx ends. Who falls behind catches up.
func Load(ctx context.Context, url string, pace Pace) Outcome {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: pace.Connections, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var sent, failed atomic.Int64
	var first atomic.Pointer[error]
	every := time.Second * time.Duration(pace.Connections) / time.Duration(pace.PerSecond)
	var callers sync.WaitGroup
	for range pace.Connections {
		callers.Go(func() {
			for range paced(ctx, every) {
				req, _ := request(context.WithoutCancel(ctx), url)
				sent.Add(1)
				if err := send(client, req); err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	callers.Wait()
	o := Outcome{Sent: int(sent.Load()), Failed: int(failed.Load())}
	if e := first.Load(); e != nil {
		o.First = *e
	}
	return o
}

// paced yields at every multiple of a time until ctx ends.
func paced(ctx context.Context, every time.Duration) func(func(int) bool) {
	return func(yield func(int) bool) {
		began := time.Now()
		for i := 0; ctx.Err() == nil; i++ {
			timer := time.NewTimer(time.Until(began.Add(time.Duration(i) * every)))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
			if !yield(i) {
				return
			}
		}
	}
}
