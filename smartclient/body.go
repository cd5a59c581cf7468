package smartclient

import (
	"io"
	"net/http"
	"time"
)

// An answerBody tells its attempt when the answer has been read or given up.
type answerBody struct {
	io.ReadCloser
	attempt *attempt
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if normalEnd(err) {
		if err != nil {
			b.attempt.ended(nil)
		}
		return n, err
	}
	b.attempt.ended(err)
	return n, err
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.attempt.ended(nil)
	return err
}

// A switchedBody is the body of a 101 answer, which is written too.
type switchedBody struct {
	*answerBody
	io.Writer
}

// watch puts the attempt's ears on an answer's body, if there is an answer.
func (a *attempt) watch(resp *http.Response) *http.Response {
	if resp == nil {
		return nil
	}
	if resp.Body == nil || resp.Body == http.NoBody {
		a.ended(nil)
		return resp
	}
	writer, writable := resp.Body.(io.Writer)
	a.body = answerBody{ReadCloser: resp.Body, attempt: a}
	resp.Body = &a.body
	if writable && resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = switchedBody{&a.body, writer}
	}
	return resp
}

// The bounds of what is read of an answer that nobody wants, to keep its
// connection: beyond them a new connection is cheaper.
const (
	mostDrained = 4 << 10
	drainFor    = 50 * time.Millisecond
)

// discard gives an answer up.
func discard(resp *http.Response) {
	if resp.ContentLength <= mostDrained {
		unblock := time.AfterFunc(drainFor, func() { _ = resp.Body.Close() })
		_, _ = io.CopyN(io.Discard, resp.Body, mostDrained)
		unblock.Stop()
	}
	_ = resp.Body.Close()
}
