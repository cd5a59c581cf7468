package smartclient

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// A Problem is an answer that says what went wrong, by RFC 9457. The JSON
// helpers return it for every answer that is not a success, also of services
// that know nothing of the RFC. Find it with errors.As:
//
//	var p *smartclient.Problem
//	if errors.As(err, &p) && p.Status == http.StatusNotFound { … }
type Problem struct {
	// Type is the URI that tells kinds of problems apart, "about:blank" if the
	// status says it all.
	Type string
	// Title is the kind in words, the status's name by default.
	Title string
	// Status is that of the answer, whatever its body says (RFC 9457 §3.1.2).
	Status int
	// Detail is about this request, Instance a URI of this occurrence.
	Detail   string
	Instance string
	// Extensions are the other members, as they came.
	Extensions map[string]json.RawMessage
	// Header is the answer's.
	Header http.Header

	request string
}

// Error returns one line: the request, the status, and what is said of it.
func (p *Problem) Error() string {
	parts := []string{p.request, fmt.Sprintf("%d %s", p.Status, p.Title)}
	if p.request == "" {
		parts = parts[1:]
	}
	if p.Detail != "" {
		parts = append(parts, p.Detail)
	}
	return oneLine(strings.Join(parts, ": "))
}

const (
	// mostProblem bounds what is read of a problem, and mostDetail what is
	// taken of an answer that is plain text.
	mostProblem = 64 << 10
	mostDetail  = 200
	noType      = "about:blank"
)

// ReadProblem reads what an answer says went wrong, and closes it. Members of
// the wrong type are ignored (RFC 9457 §3.1).
func ReadProblem(resp *http.Response) *Problem {
	p := &Problem{Type: noType, Title: http.StatusText(resp.StatusCode), Status: resp.StatusCode, Header: resp.Header, request: requestOf(resp)}
	defer resp.Body.Close()
	text, _ := readAtMost(resp.Body, mostProblem) // what came is better than nothing
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind {
	case "application/problem+json", "application/json":
		p.decode(text)
	case "text/plain":
		p.Detail = beginningOf(string(text))
	}
	return p
}

func (p *Problem) decode(text []byte) {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return
	}
	for name, into := range map[string]*string{"type": &p.Type, "title": &p.Title, "detail": &p.Detail, "instance": &p.Instance} {
		var value string
		if json.Unmarshal(members[name], &value) == nil && value != "" {
			*into = value
		}
		delete(members, name)
	}
	delete(members, "status")
	if len(members) > 0 {
		p.Extensions = members
	}
}

// beginningOf returns the first line of a text, cut to what a log bears.
func beginningOf(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if len(line) <= mostDetail {
		return strings.TrimSpace(line)
	}
	return strings.ToValidUTF8(line[:mostDetail], "") + "…"
}
