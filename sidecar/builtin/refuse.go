package builtin

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"fairlead.dev/sidecar/problem"
)

// maxHeaderLines is how many lines a request's header may have; HAProxy takes
// 100.
const maxHeaderLines = 100

func tooManyLines(h http.Header) bool {
	lines := 0
	for _, values := range h {
		lines += len(values)
	}
	return lines > maxHeaderLines
}

// refuse words the answer to a request that cannot be read as a problem, like
// all errors of the proxy's own.
func refuse(status int, detail string) []byte {
	code := "invalid-request"
	if status == http.StatusRequestHeaderFieldsTooLarge {
		code = "header-too-large"
	}
	said := &written{header: http.Header{"Connection": {"close"}}}
	fail(said, forwarding(status, code, problem.NotProcessed, strings.TrimSpace(detail)))
	res := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: said.header, Close: true,
		ContentLength: int64(said.body.Len()), Body: io.NopCloser(&said.body),
	}
	var out bytes.Buffer
	_ = res.Write(&out) // memory takes it all
	return out.Bytes()
}

// written is an http.ResponseWriter that keeps what is written.
type written struct {
	header http.Header
	body   bytes.Buffer
}

func (w *written) Header() http.Header         { return w.header }
func (w *written) WriteHeader(int)             {}
func (w *written) Write(p []byte) (int, error) { return w.body.Write(p) }
