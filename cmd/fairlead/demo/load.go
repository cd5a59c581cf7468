package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

// requestTimeout is what a caller is willing to wait.
const requestTimeout = 5 * time.Second

// A caller sends requests by one path at a steady rate, whether or not the
// earlier ones have been answered.
type caller struct {
	path   string
	every  time.Duration
	doer   doer
	url    func(n int64) string
	header http.Header
	parse  func([]byte) (answer, error)
}

type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// An answer is what every service of the demo says: whose request it was, and
// who served it.
type answer struct {
	requestID string
	served    []serving
}

// load runs callers until it is stopped.
type load struct {
	tally  *tally
	cancel context.CancelFunc
	wg     sync.WaitGroup
	began  time.Time
	number atomic.Int64
}

func startLoad(ctx context.Context, t *tally, callers []caller) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{tally: t, cancel: cancel, began: time.Now()}
	for _, c := range callers {
		l.wg.Go(func() { l.run(ctx, c) })
	}
	return l
}

// stop ends the callers and waits for the answers under way.
func (l *load) stop() time.Time {
	l.cancel()
	ended := time.Now()
	l.wg.Wait()
	return ended
}

func (l *load) run(ctx context.Context, c caller) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.wg.Go(func() { l.call(c) })
		case <-ctx.Done():
			return
		}
	}
}

func (l *load) call(c caller) {
	n := l.number.Add(1)
	id := fmt.Sprintf("%s-%d", c.path, n)
	s := sample{path: c.path, began: time.Now()}
	got, err := c.send(id, n)
	s.took = time.Since(s.began)
	if err != nil {
		s.failure = cause(err)
		l.tally.add(s, fmt.Sprintf("%s by %s after %.0f ms: %v", id, c.path, ms(s.took), err))
		return
	}
	s.mismatch = got.requestID != id
	s.served = got.served
	l.tally.add(s, "")
}

// send makes one request. Its context is its own: the end of the load lets
// requests under way finish.
func (c caller) send(id string, n int64) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(n), nil)
	if err != nil {
		return answer{}, err
	}
	req.Header = c.header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("X-Request-Id", id)
	res, err := c.doer.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return answer{}, statusError{res.StatusCode, string(body)}
	}
	return c.parse(body)
}

type statusError struct {
	status int
	body   string
}

func (e statusError) Error() string { return fmt.Sprintf("status %d: %.300s", e.status, e.body) }

// cause names a failure in a word.
func cause(err error) string {
	var status statusError
	var client *smartclient.Error
	var timeout net.Error
	switch {
	case errors.As(err, &status):
		return fmt.Sprintf("status %d", status.status)
	case errors.Is(err, registry.ErrNoSuchService), errors.Is(err, registry.ErrNeverSeen), errors.Is(err, registry.ErrNoneEnabled):
		return "no instance"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "reset"
	case errors.As(err, &client):
		return "client"
	}
	return "other"
}

// user is what the identity service answers.
type user struct {
	RequestID   string `json:"request_id"`
	Instance    string `json:"instance"`
	Incarnation string `json:"incarnation"`
	Served      int    `json:"served"`
}

func (u user) serving() serving { return serving{life{u.Instance, u.Incarnation}, u.Served} }

func parseUser(body []byte) (answer, error) {
	var u user
	if err := json.Unmarshal(body, &u); err != nil {
		return answer{}, fmt.Errorf("decode the answer: %w", err)
	}
	return answer{requestID: u.RequestID, served: []serving{u.serving()}}, nil
}

// parseGateway reads identity's answer inside the gateway's own.
func parseGateway(body []byte) (answer, error) {
	var g struct {
		user
		User user `json:"user"`
	}
	if err := json.Unmarshal(body, &g); err != nil {
		return answer{}, fmt.Errorf("decode the answer: %w", err)
	}
	if g.User.RequestID != g.RequestID {
		return answer{}, fmt.Errorf("the gateway's answer to %q carries identity's to %q", g.RequestID, g.User.RequestID)
	}
	return answer{requestID: g.RequestID, served: []serving{g.serving(), g.User.serving()}}, nil
}
