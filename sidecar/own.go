package sidecar

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"strings"
)

// openAPI describes what a sidecar answers of its own, what [Sidecar.Mount] adds and
// /attended of package roster.
//
//go:embed openapi.json
var openAPI []byte

// Mount adds what a sidecar answers under its own address, beside the requests
// that it forwards:
//
//	GET /health    health+json: 503 as long as the plane does not carry the table,
//	               warn if somebody has to do something about it
//	GET /status    a Status
//	GET /metrics   what metrics answers, if it is given
//	GET /v1/realms/{realm}/services/{service}/explain
//	               which instances this host's requests go to, and why
//	GET /openapi.json
//	               the document that describes these
//
// Call it before Run.
func (s *Sidecar) Mount(mux *http.ServeMux, metrics http.Handler) {
	for pattern, page := range s.pages(metrics) {
		mux.Handle(pattern, page)
	}
}

func (s *Sidecar) pages(metrics http.Handler) map[string]http.Handler {
	pages := map[string]http.Handler{
		"GET /health":       http.HandlerFunc(s.answerHealth),
		"GET /status":       http.HandlerFunc(s.answerStatus),
		"GET /openapi.json": http.HandlerFunc(describe),
		"GET /v1/realms/{realm}/services/{service}/explain": http.HandlerFunc(s.answerExplain),
	}
	if metrics != nil {
		pages["GET /metrics"] = metrics
	}
	return pages
}

func (s *Sidecar) answerStatus(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, "application/json", s.Status())
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

func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI)
}

func answer(w http.ResponseWriter, code int, contentType string, body any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	// A caller that went away is nobody's problem.
	_ = json.NewEncoder(w).Encode(body)
}
