// Package identity is a sample service: users, by id, in memory.
//
//	GET    /users/{id}   one user
//	PUT    /users/{id}   {"name": "…"} creates or replaces it
//	DELETE /users/{id}   removes it
//	GET    /events       changes of users, as server-sent events
//	GET    /count        how many /users requests this copy has served
//
// Users 1 to 1000 are there from the start. PUT and DELETE may be repeated
// without harm; each copy of the service has a memory of its own.
//
// A caller that sends X-Request-Id is told in the answer which copy served it
// and as its how manieth, so the callers' own counts can be held against the
// service's.
package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"fairlead.dev/smartservice"
)

// Version of the service.
const Version = "1.4.2"

// maxBody bounds a user's JSON.
const maxBody = 64 << 10

// Run is the service as a program: it parses args and serves until ctx ends
// or SIGTERM comes.
func Run(ctx context.Context, args []string) error {
	s := newService(smartservice.Options{Version: Version})
	err := s.app.RunArgs(ctx, args)
	if s.app.Incarnation() != "" { // it did start
		s.app.Logger().Info("requests served", "incarnation", s.app.Incarnation(), "served", s.served.total())
	}
	return err
}

type service struct {
	app    *smartservice.App
	users  *users
	served *counter
}

func newService(opts smartservice.Options) *service {
	s := &service{app: smartservice.New("identity", opts), users: newUsers(), served: newCounter()}
	s.app.HandleFunc("GET /users/{id}", s.get)
	s.app.HandleFunc("PUT /users/{id}", s.put)
	s.app.HandleFunc("DELETE /users/{id}", s.delete)
	s.app.HandleFunc("GET /events", s.events)
	s.app.HandleFunc("GET /count", s.count)
	return s
}

// An answer is a user, and who served it if the caller named its request.
type answer struct {
	User
	RequestID   string `json:"request_id,omitempty"`
	Instance    string `json:"instance,omitempty"`
	Incarnation string `json:"incarnation,omitempty"`
	Served      int    `json:"served,omitempty"`
}

func (s *service) answer(r *http.Request, u User, served int) answer {
	id := r.Header.Get(smartservice.HeaderRequestID)
	if id == "" {
		return answer{User: u}
	}
	return answer{User: u, RequestID: id, Instance: s.app.Key().Instance, Incarnation: s.app.Incarnation(), Served: served}
}

func (s *service) get(w http.ResponseWriter, r *http.Request) {
	served := s.served.add(r.Method)
	u, ok := s.users.get(r.PathValue("id"))
	if !ok {
		smartservice.WriteProblem(w, http.StatusNotFound, fmt.Sprintf("there is no user %.40q", r.PathValue("id")))
		return
	}
	smartservice.WriteJSON(w, http.StatusOK, s.answer(r, u, served))
}

func (s *service) put(w http.ResponseWriter, r *http.Request) {
	served := s.served.add(r.Method)
	u := User{ID: r.PathValue("id")}
	if err := decodeName(w, r, &u); err != nil {
		smartservice.WriteProblem(w, statusOf(err), err.Error())
		return
	}
	status := http.StatusOK
	if s.users.put(u) {
		status = http.StatusCreated
	}
	smartservice.WriteJSON(w, status, s.answer(r, u, served))
}

func (s *service) delete(w http.ResponseWriter, r *http.Request) {
	s.served.add(r.Method)
	s.users.delete(r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}

func (s *service) count(w http.ResponseWriter, _ *http.Request) {
	smartservice.WriteJSON(w, http.StatusOK, map[string]any{
		"instance": s.app.Key().Instance, "incarnation": s.app.Incarnation(),
		"served": s.served.total(), "by_method": s.served.byMethod(),
	})
}

// decodeName reads the body of a PUT. The error is for the caller to read.
func decodeName(w http.ResponseWriter, r *http.Request, u *User) error {
	var body struct {
		Name string `json:"name"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil {
		return fmt.Errorf(`the body must be {"name": "…"}: %w`, err)
	}
	if body.Name == "" {
		return errors.New("name: must not be empty")
	}
	u.Name = body.Name
	return nil
}

func statusOf(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}
