// Package gateway is a sample service that asks another one, identity, by
// name.
//
//	GET /users/{id}   identity's answer, and who passed it on
//	GET /count        how many /users requests this copy has served
//	GET /metrics      among the platform's, fairlead_client_retries_…: how
//	                  often identity had to be asked again
//
// The request's context and id go with what is asked, so identity's work ends
// when the caller goes away, and both services log the same id.
package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/smartservice"
)

const (
	// Version of the service.
	Version = "1.0.0"
	// patience is how long identity, retries included, may take.
	patience = 5 * time.Second
	// maxBody bounds what is taken over from identity.
	maxBody = 1 << 20
)

// Run is the service as a program: it parses args and serves until ctx ends
// or SIGTERM comes.
func Run(ctx context.Context, args []string) error {
	s := newService(smartservice.Options{Version: Version})
	err := s.app.RunArgs(ctx, args)
	if s.app.Incarnation() != "" { // it did start
		s.app.Logger().Info("requests served", "incarnation", s.app.Incarnation(), "served", s.served.Load())
	}
	return err
}

type service struct {
	app    *smartservice.App
	served atomic.Int64
}

func newService(opts smartservice.Options) *service {
	s := &service{app: smartservice.New("gateway", opts)}
	s.app.HandleFunc("GET /users/{id}", s.user)
	s.app.HandleFunc("GET /count", s.count)
	return s
}

// An answer is identity's, and who passed it on.
type answer struct {
	RequestID   string          `json:"request_id"`
	Instance    string          `json:"instance"`
	Incarnation string          `json:"incarnation"`
	Served      int64           `json:"served"`
	User        json.RawMessage `json:"user"`
}

func (s *service) user(w http.ResponseWriter, r *http.Request) {
	served := s.served.Add(1)
	status, body, err := s.ask(r.Context(), r.PathValue("id"))
	if err != nil {
		smartservice.Logger(r.Context()).Warn("identity did not answer", "error", err)
		smartservice.WriteProblem(w, statusFor(err), "identity did not answer")
		return
	}
	if status != http.StatusOK {
		smartservice.WriteProblem(w, status, fmt.Sprintf("identity answered %d", status))
		return
	}
	smartservice.WriteJSON(w, http.StatusOK, answer{
		RequestID: smartservice.RequestID(r.Context()), User: body,
		Instance: s.app.Key().Instance, Incarnation: s.app.Incarnation(), Served: served,
	})
}

// ask gets a user from identity.
func (s *service) ask(ctx context.Context, id string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "service://identity/users/"+url.PathEscape(id), nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set(smartservice.HeaderRequestID, smartservice.RequestID(ctx))
	resp, err := s.app.Client().Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return resp.StatusCode, body, err
}

// statusFor tells the caller whether it is worth asking again soon.
func statusFor(err error) int {
	switch {
	case errors.Is(err, registry.ErrNoSuchService), errors.Is(err, registry.ErrNoneEnabled), errors.Is(err, registry.ErrNeverSeen):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

func (s *service) count(w http.ResponseWriter, _ *http.Request) {
	smartservice.WriteJSON(w, http.StatusOK, map[string]any{
		"instance": s.app.Key().Instance, "incarnation": s.app.Incarnation(), "served": s.served.Load(),
	})
}
