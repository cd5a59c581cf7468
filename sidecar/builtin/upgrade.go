package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// upgrade passes a 101 on and then copies both ways, until one side ends or
// the request's context does.
func (f *Forwarder) upgrade(x *exchange, res *http.Response) {
	instance, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		_ = res.Body.Close()
		f.give(x, errors.New("the instance's connection cannot be written to"))
		return
	}
	defer instance.Close()
	if asked, got := upgradeOf(x.r.Header), upgradeOf(res.Header); got == "" || !strings.EqualFold(asked, got) {
		f.give(x, fmt.Errorf("the instance switched to %q, asked for %q", got, asked))
		return
	}
	caller, buffered, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		f.give(x, fmt.Errorf("take the caller's connection over: %w", err))
		return
	}
	defer caller.Close()
	x.status, x.took = res.StatusCode, time.Since(x.began)
	res.Body = nil // or writing the header would copy it
	if err := errors.Join(res.Write(buffered), buffered.Flush()); err != nil {
		return
	}
	tie(x.r.Context(), pair{caller, buffered.Reader, instance})
}

// A pair is the two ends of an upgraded connection. What the caller sent
// early is in its reader.
type pair struct {
	caller   io.WriteCloser
	early    io.Reader
	instance io.ReadWriteCloser
}

// tie copies until either end fails, or both have ended in order.
func tie(ctx context.Context, p pair) {
	stop := context.AfterFunc(ctx, p.cut)
	defer stop()
	ended := make(chan error, 2)
	go func() { ended <- pipe(p.caller, p.instance) }()
	go func() { ended <- pipe(p.instance, p.early) }()
	if <-ended == nil {
		<-ended
		return
	}
	p.cut()
	<-ended
}

func (p pair) cut() {
	_ = p.caller.Close()
	_ = p.instance.Close()
}

// pipe copies to the end of from, and passes the end on to who can be told of
// it and still be heard.
func pipe(to io.WriteCloser, from io.Reader) error {
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	half, ok := to.(interface{ CloseWrite() error })
	if !ok {
		return errOneWay
	}
	return half.CloseWrite()
}

var errOneWay = errors.New("one side ended")
