package smartservice

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/felixge/httpsnoop"
)

// An exchange is what was answered to one request so far.
type exchange struct {
	w      http.ResponseWriter
	status int // 0 until the header is written
	bytes  int64
}

// serve calls next and survives its panics.
func serve(next http.Handler, w http.ResponseWriter, r *http.Request) (e *exchange) {
	e = &exchange{}
	e.w = e.watch(w)
	defer func() {
		if p := recover(); p != nil {
			e.recovered(p, r)
		}
	}()
	next.ServeHTTP(e.w, r)
	if e.status == 0 && errors.Is(r.Context().Err(), context.DeadlineExceeded) {
		// A handler that returns because its time is over has not succeeded.
		WriteProblem(e.w, http.StatusGatewayTimeout, "the caller's time was over before the request was answered")
	}
	e.answered(http.StatusOK) // net/http's word for a handler that said nothing
	return e
}

// recovered answers with a problem if nothing was answered yet. After that the
// only honest sign left is to cut the connection.
func (e *exchange) recovered(p any, r *http.Request) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	Logger(r.Context()).Error("handler panicked", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if e.status != 0 {
		panic(http.ErrAbortHandler)
	}
	WriteProblem(e.w, http.StatusInternalServerError, "the request could not be completed")
}

// answered notes the final status; informational ones come before it.
func (e *exchange) answered(status int) {
	if e.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		e.status = status
	}
}

// watch keeps the optional interfaces of w, as a plain wrapper would not.
func (e *exchange) watch(w http.ResponseWriter) http.ResponseWriter {
	return httpsnoop.Wrap(w, httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(status int) {
				e.answered(status)
				next(status)
			}
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(p []byte) (int, error) { return wrote(e, p, next) }
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(src io.Reader) (int64, error) { return wrote(e, src, next) }
		},
		Flush: func(next httpsnoop.FlushFunc) httpsnoop.FlushFunc {
			return func() {
				e.answered(http.StatusOK)
				next()
			}
		},
		Hijack: func(next httpsnoop.HijackFunc) httpsnoop.HijackFunc {
			return func() (net.Conn, *bufio.ReadWriter, error) {
				e.answered(http.StatusSwitchingProtocols)
				return next()
			}
		},
	})
}

// wrote passes a part of the body on and counts it.
func wrote[Part any, Count int | int64](e *exchange, part Part, next func(Part) (Count, error)) (Count, error) {
	e.answered(http.StatusOK)
	n, err := next(part)
	e.bytes += int64(n)
	return n, err
}

func (e *exchange) log(r *http.Request, took time.Duration) {
	Logger(r.Context()).LogAttrs(r.Context(), slog.LevelDebug, "request",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("route", r.Pattern),
		slog.Int("status", e.status), slog.Int64("bytes", e.bytes), slog.Duration("took", took))
}
