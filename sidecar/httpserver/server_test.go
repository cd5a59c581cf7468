package httpserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

func run(t *testing.T, h http.Handler, opts Options) (url string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, listener, h, opts) }()
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + listener.Addr().String(), func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return errors.New("the server did not end")
		}
	}
}

func TestRequestsInFlightFinish(t *testing.T) {
	entered, stopping := make(chan struct{}), make(chan struct{})
	url, stop := run(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-stopping
		if r.Context().Err() != nil {
			t.Error("a request that may finish was cancelled")
		}
		_, _ = io.WriteString(w, "done")
	}), Options{Stopping: func() { close(stopping) }})
	answer := make(chan string, 1)
	go func() {
		res, err := http.Get(url)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answer <- string(body)
	}()
	<-entered
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := <-answer; got != "done" {
		t.Errorf("what was in flight got %q", got)
	}
}

func TestRequestsThatDoNotFinishAreCut(t *testing.T) {
	entered := make(chan struct{})
	url, stop := run(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}), Options{Grace: 50 * time.Millisecond})
	failed := make(chan error, 1)
	go func() {
		res, err := http.Get(url)
		if err == nil {
			res.Body.Close()
		}
		failed <- err
	}()
	<-entered
	if err := stop(); err != nil {
		t.Error(err)
	}
	<-failed
}

func TestHandlerThatWillNotEndIsReported(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	url, stop := run(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-leave
	}), Options{Grace: 50 * time.Millisecond})
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		if res, err := http.Get(url); err == nil {
			res.Body.Close()
		}
	}()
	<-entered
	if err := stop(); err == nil {
		t.Error("a handler that is still there was not reported")
	}
	close(leave)
	<-failed
}

func TestFailureToServeIsReported(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	stopped := false
	if err := Run(context.Background(), listener, http.NotFoundHandler(), Options{Stopping: func() { stopped = true }}); err == nil || !stopped {
		t.Errorf("error is %v, stopped %v", err, stopped)
	}
}
