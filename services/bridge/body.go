package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/problem"
)

const (
	// maxBody bounds the body of a request to the API; /call has no bound.
	maxBody = 64 << 10
	// maxDepth bounds the nesting of JSON; a registration has 2.
	maxDepth = 8
	// maxDrain is how much of an oversize body is read and thrown away, so
	// that clients which send everything before they read see the answer
	// rather than a reset connection.
	maxDrain = 32 << 20
	// bodyTimeout ends bodies that arrive by drips.
	bodyTimeout = 10 * time.Second
)

// readBody returns the JSON body of a request, of which it checks the type,
// the size, the nesting and that no name comes twice. An absent body is empty.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := checkContentType(r.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	if r.ContentLength > maxBody && r.Header.Get("Expect") != "" {
		return nil, tooLarge()
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, problem.New(http.StatusBadRequest, "invalid", "body: must arrive in full and in time")
	case len(data) > maxBody:
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
		return nil, tooLarge()
	}
	data = bytes.TrimSpace(data)
	return data, checkShape(data)
}

func tooLarge() error {
	return problem.New(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("body: must be at most %d bytes", maxBody))
}

// checkContentType accepts JSON, none at all, and what curl -d says of any
// data that it sends.
func checkContentType(value string) error {
	media, _, err := mime.ParseMediaType(value)
	switch {
	case value == "", media == "application/json", media == "application/x-www-form-urlencoded":
		return nil
	case err == nil && strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"):
		return nil
	}
	return problem.New(http.StatusUnsupportedMediaType, "unsupported-media-type", fmt.Sprintf("Content-Type: must be application/json, got %.80q", value))
}

// checkShape finds what a decoder into a struct would let pass or choke on:
// names that come twice, of which the last would win silently, and nesting far
// beyond anything we read. Broken JSON is left to that decoder to report.
func checkShape(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var open []*level
	for {
		token, err := dec.Token()
		if err != nil {
			return nil
		}
		if open, err = step(open, token); err != nil {
			return err
		}
	}
}

// A level is an object or an array that is open; names is nil in an array.
type level struct {
	names map[string]bool
	// value says that the next token of an object is a value.
	value bool
}

func step(open []*level, token json.Token) ([]*level, error) {
	if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
		return open[:len(open)-1], nil
	}
	if len(open) > 0 {
		if isName, err := open[len(open)-1].take(token, len(open) == 1); isName || err != nil {
			return open, err
		}
	}
	switch token {
	case json.Delim('{'):
		open = append(open, &level{names: map[string]bool{}})
	case json.Delim('['):
		open = append(open, &level{})
	}
	if len(open) > maxDepth {
		return open, &registry.FieldError{Field: "body", Problem: fmt.Sprintf("must not nest deeper than %d levels", maxDepth)}
	}
	return open, nil
}

// take notes a token directly inside a level and tells whether it is a name.
// Our own fields, at the top, are matched without regard to case.
func (l *level) take(token json.Token, top bool) (isName bool, err error) {
	if l.names == nil || l.value {
		l.value = false
		return false, nil
	}
	name, _ := token.(string)
	field := name
	if top {
		field = strings.ToLower(name)
	}
	if l.names[field] {
		return true, &registry.FieldError{Field: name, Problem: "must be given once"}
	}
	l.names[field], l.value = true, true
	return true, nil
}

// decodeOptional reads a body that may be absent into v.
func decodeOptional(w http.ResponseWriter, r *http.Request, v any) error {
	data, err := readBody(w, r)
	if err != nil || len(data) == 0 {
		return err
	}
	return registry.DecodeStrict(data, v)
}
