package sidecar

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Mount adds what a sidecar answers under its own address, beside the requests
// that it forwards:
//
//	GET /health    health+json: 503 as long as the plane does not carry the table,
//	               warn if somebody has to do something about it
//	GET /status    a Status
//	GET /metrics   what metrics answers, if it is given
//	GET /v1/realms/{realm}/services/{service}/explain
//	               which instances this host's requests go to, and why
//
// Call it before Run.
func (s *Sidecar) Mount(mux *http.ServeMux, metrics http.Handler) {
	mux.HandleFunc("GET /health", s.answerHealth)
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "application/json", s.Status())
	})
	mux.HandleFunc("GET /v1/realms/{realm}/services/{service}/explain", s.answerExplain)
	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}
}

func (s *Sidecar) answerHealth(w http.ResponseWriter, _ *http.Request) {
	body := struct {
		Status string `json:"status"`
		Output string `json:"output,omitempty"`
	}{Status: "pass"}
	code := http.StatusOK
	switch status := s.Status(); {
	case len(status.Problems) > 0:
		code = http.StatusServiceUnavailable
		body.Status, body.Output = "fail", strings.Join(status.Problems, "; ")
	case status.Plane.Warning != "":
		body.Status, body.Output = "warn", status.Plane.Warning
	}
	answer(w, code, "application/health+json", body)
}

func answer(w http.ResponseWriter, code int, contentType string, body any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	// A caller that went away is nobody's problem.
	_ = json.NewEncoder(w).Encode(body)
}
