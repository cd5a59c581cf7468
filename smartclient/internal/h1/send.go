package h1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"time"
)

// A Course is what became of a request.
type Course struct {
	// Conns is how many connections it took: 0 if none could be had, 2 if a kept
	// one turned out to be dead and it was sent again.
	Conns int
	// Kept tells that the last connection had served a request before.
	Kept bool
	// Sent tells that bytes of the request may have left.
	Sent bool
	// Interim, if set, is called with each 1xx answer; its error ends the
	// request.
	Interim func(status int, header textproto.MIMEHeader) error
}

var (
	errNoAnswer = fmt.Errorf("the server closed the connection before it answered: %w", io.EOF)
	errSwitched = errors.New("the server switched protocols without being asked")
)

// Send sends a request that [Carries] takes, and returns once the answer's
// header is there. Like [http.RoundTripper] it closes the request's body, and
// the answer's body has to be closed. When the request's context ends, so does
// the exchange, its body included, with the context's cause.
//
// A request without a body that got nothing back on a kept connection is sent
// once more on a new one, if net/http would do so too: the method is safe, or an
// idempotency key says that it may be repeated.
func (p *Pool) Send(req *http.Request, course *Course) (*http.Response, error) {
	c, err := p.conn(req.Context(), req.URL.Host)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := p.exchange(c, req, course)
	if err == nil || errors.Is(err, errCancelled) || !resends(c, req) {
		return resp, err
	}
	if c, err = p.dial(req.Context(), req.URL.Host); err != nil {
		return nil, err
	}
	return p.exchange(c, req, course)
}

// resends tells whether a request that failed may be sent again at once.
func resends(c *conn, req *http.Request) bool {
	if !c.kept || c.read || req.Context().Err() != nil || hasBody(req) {
		return false
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return len(req.Header["Idempotency-Key"]) > 0 || len(req.Header["X-Idempotency-Key"]) > 0
}

// exchange sends a request on a connection and reads the answer's header.
func (p *Pool) exchange(c *conn, req *http.Request, course *Course) (*http.Response, error) {
	c.begin()
	course.Conns++
	course.Kept = c.kept
	x := &exchange{pool: p, conn: c, ctx: req.Context()}
	x.watch(req)
	resp, err := x.do(req, course.Interim)
	course.Sent = course.Sent || c.wrote
	if err != nil {
		return nil, x.fail(err)
	}
	x.answer(resp)
	return resp, nil
}

func (x *exchange) do(req *http.Request, interim func(int, textproto.MIMEHeader) error) (*http.Response, error) {
	if err := write(x.conn.out, req); err != nil {
		return x.refused(req, err)
	}
	for {
		resp, err := x.head(req)
		if err != nil || !interimAnswer(resp) {
			return resp, err
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, errSwitched
		}
		if interim != nil {
			if err := interim(resp.StatusCode, textproto.MIMEHeader(resp.Header)); err != nil {
				return nil, err
			}
		}
	}
}

func interimAnswer(resp *http.Response) bool { return resp.StatusCode >= 100 && resp.StatusCode <= 199 }

// refused looks for the answer of a server that wanted to read no more of the
// request, and closed the connection once it had said so.
func (x *exchange) refused(req *http.Request, cause error) (*http.Response, error) {
	var body *BodyError
	if !x.conn.wrote || errors.As(cause, &body) || x.conn.net.SetReadDeadline(time.Now().Add(lastWords)) != nil {
		return nil, cause
	}
	x.last = true
	if resp, err := x.head(req); err == nil && !interimAnswer(resp) {
		return resp, nil
	}
	return nil, cause
}

// lastWords is how long the answer of a connection that takes no more of the
// request is waited for. It is there already or will never be.
const lastWords = 50 * time.Millisecond

// head reads the header of the next answer.
func (x *exchange) head(req *http.Request) (*http.Response, error) {
	if _, err := x.conn.in.Peek(1); err != nil {
		if err == io.EOF {
			err = errNoAnswer
		}
		return nil, err
	}
	resp, err := http.ReadResponse(x.conn.in, req)
	if err != nil && x.conn.left <= 0 {
		err = errLongHead // and not what its first part looks like
	}
	return resp, err
}

// answer readies an answer for whoever reads it.
func (x *exchange) answer(resp *http.Response) {
	x.conn.headRead()
	x.last = x.last || resp.Close
	if resp.Body == http.NoBody {
		x.over()
		return
	}
	x.body = resp.Body
	resp.Body = x
}
