package h1

import (
	"bufio"
	"io"
	"net/http"
)

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// write writes a request, with its body in one go.
func write(w *bufio.Writer, req *http.Request) error {
	if err := writeUnflushed(w, req); err != nil {
		return err
	}
	return w.Flush()
}

func writeUnflushed(w *bufio.Writer, req *http.Request) error {
	if !hasBody(req) {
		return req.Write(w)
	}
	out, body := *req, &source{ReadCloser: req.Body}
	out.Body = body
	err := out.Write(inOneGo{w})
	if body.err != nil {
		return &BodyError{body.err}
	}
	return err
}

// inOneGo is a buffer that net/http does not empty between header and body, as
// it does with bodies that may be long in coming.
type inOneGo struct{ *bufio.Writer }

// A source is a request's body that remembers how it failed: net/http wraps
// that so that nobody can tell.
type source struct {
	io.ReadCloser
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// A BodyError says that a request's own body failed, and not its connection.
type BodyError struct{ cause error }

func (e *BodyError) Error() string { return "read request body: " + e.cause.Error() }

// Unwrap returns the body's error.
func (e *BodyError) Unwrap() error { return e.cause }
