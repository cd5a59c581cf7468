package builtin

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// answer passes an instance's answer on. It panics with http.ErrAbortHandler
// if the answer breaks off, so that nobody takes a part for the whole.
func (f *Forwarder) answer(x *exchange, res *http.Response) {
	defer res.Body.Close()
	h := x.w.Header()
	passHeader(h, res.Header)
	announced := len(res.Trailer)
	if announced > 0 {
		h["Trailer"] = []string{strings.Join(names(res.Trailer), ", ")}
	}
	x.status = res.StatusCode
	x.w.WriteHeader(res.StatusCode)
	if err := f.copyBody(x.w, res); err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = res.Body.Close() // now, to have all trailers
	trail(x.w, res.Trailer, announced)
}

func names(h http.Header) (all []string) {
	for name := range h {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// copyBody copies an answer's body, and lets each part leave as it comes: any
// answer may be a stream. What is known to be whole leaves when the handler
// returns, together with the header, which saves a system call.
func (f *Forwarder) copyBody(w http.ResponseWriter, res *http.Response) error {
	if res.Body == http.NoBody {
		return nil
	}
	rest := res.ContentLength
	if rest < 0 || rest > copyBuffer {
		flush(w) // the first part may be long in coming
	}
	buffer := f.buffers.Get()
	defer f.buffers.Put(buffer)
	for {
		n, err := res.Body.Read(buffer)
		if _, failed := w.Write(buffer[:n]); failed != nil {
			return failed
		}
		rest -= int64(n)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read answer: %w", err)
		case rest != 0 && n > 0:
			flush(w)
		}
	}
}

// flush also finds the way through writers that are wrapped. Nothing is lost
// where there is none: the answer leaves when it is whole.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// trail passes trailers on: announced ones by name, others by the prefix that
// net/http asks for.
func trail(w http.ResponseWriter, trailer http.Header, announced int) {
	if len(trailer) == 0 {
		return
	}
	// Or net/http would work out a Content-Length, which leaves no room.
	flush(w)
	prefix := http.TrailerPrefix
	if len(trailer) == announced {
		prefix = ""
	}
	for name, values := range trailer {
		w.Header()[prefix+name] = values
	}
}
