// Package problem writes errors over HTTP as RFC 9457 problem details:
//
//	problem.New(503, "none-enabled", "identity has 3 instances and none is enabled").Write(w)
//
// gives
//
//	{"type":"https://fairlead.dev/problems/none-enabled","title":"Service Unavailable",
//	 "status":503,"detail":"identity has 3 instances and none is enabled"}
package problem

import (
	"encoding/json"
	"net/http"

	"fairlead.dev/registry"
)

// ContentType is that of problem details (RFC 9457 §6.1).
const ContentType = "application/problem+json"

// ErrorHeader carries the code of an error that a proxy of ours made itself. No
// answer of a service has it: it is removed there.
const ErrorHeader = "Fairlead-Error"

// typeBase makes a code an absolute URI, as RFC 9457 §3.1.1 recommends.
const typeBase = "https://fairlead.dev/problems/"

// Processed says whether the request may have had an effect.
type Processed string

const (
	// NotProcessed means that no instance saw the request: any request may be
	// repeated.
	NotProcessed Processed = "no"
	// MaybeProcessed means that an instance may have acted on the request.
	MaybeProcessed Processed = "maybe"
)

// A Problem is one error as the caller sees it.
type Problem struct {
	// Type is a URI whose last segment is the code that programs branch on.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is one line for people.
	Detail string `json:"detail,omitempty"`
	// Errors name the fields that were wrong.
	Errors registry.FieldErrors `json:"errors,omitempty"`
	// Processed is set by those who forward requests.
	Processed Processed `json:"processed,omitempty"`
}

// New returns a problem with the status's own name for a title.
func New(status int, code, detail string) *Problem {
	return &Problem{Type: typeBase + code, Title: Title(status), Status: status, Detail: detail}
}

// Title returns the name of a status, also of those net/http does not know.
func Title(status int) string {
	if status == StatusClientClosed {
		return "Client Closed Request"
	}
	return http.StatusText(status)
}

// StatusClientClosed is nginx's 499: the caller went away before the answer,
// which therefore nobody reads.
const StatusClientClosed = 499

// Code returns the last segment of the type.
func (p *Problem) Code() string { return p.Type[min(len(typeBase), len(p.Type)):] }

// Error makes a problem an error that handlers can return.
func (p *Problem) Error() string { return p.Detail }

// Write sends the problem. Headers set before are kept.
func (p *Problem) Write(w http.ResponseWriter) {
	// Encoding a struct of strings and numbers cannot fail.
	body, _ := json.Marshal(p)
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n'))
}
