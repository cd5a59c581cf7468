package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"fairlead.dev/registry"
	"fairlead.dev/smartservice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStatusFor(t *testing.T) {
	tests := []struct {
		err  error
		want int
	}{
		{fmt.Errorf("x: %w", registry.ErrNoSuchService), http.StatusServiceUnavailable},
		{fmt.Errorf("x: %w", registry.ErrNoneEnabled), http.StatusServiceUnavailable},
		{fmt.Errorf("x: %w", registry.ErrNeverSeen), http.StatusServiceUnavailable},
		{fmt.Errorf("x: %w: %w", registry.ErrNeverSeen, context.DeadlineExceeded), http.StatusServiceUnavailable},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), http.StatusGatewayTimeout},
		{errors.New("connection refused"), http.StatusBadGateway},
	}
	for _, tt := range tests {
		if got := statusFor(tt.err); got != tt.want {
			t.Errorf("%v gives %d, want %d", tt.err, got, tt.want)
		}
	}
}

// Before it ever saw a registry, a gateway serves, and says what is wrong.
func TestWithoutTheRegistry(t *testing.T) {
	s := newService(smartservice.Options{
		NATSURL: "nats://127.0.0.1:1", Addr: "127.0.0.1:0", Instance: "gateway-1", DrainDelay: -1,
	})
	if err := s.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.app.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	}()
	resp, err := http.Get(s.app.URL() + "/users/1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var p smartservice.Problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusServiceUnavailable || p.Detail != "identity did not answer" {
		t.Errorf("got %d %+v", resp.StatusCode, p)
	}
}
