package h1

import (
	"context"
	"errors"
	"net/http"
)

var errCancelled = errors.New("request canceled")

// watch has the connection closed when the request is to end.
func (x *exchange) watch(req *http.Request) {
	//lint:ignore SA1019 http.Client sets it itself where it has a Timeout
	cancelled := req.Cancel
	switch {
	case cancelled != nil:
		x.watchCancel(cancelled)
	case x.ctx.Done() != nil:
		x.unwatch = context.AfterFunc(x.ctx, x.conn.close)
	}
}

// watchCancel heeds Request.Cancel as well. The goroutine ends with the
// exchange.
func (x *exchange) watchCancel(cancelled <-chan struct{}) {
	ctx, cancel := context.WithCancelCause(x.ctx)
	go func() {
		select {
		case <-cancelled:
			cancel(errCancelled)
		case <-ctx.Done():
		}
	}()
	x.ctx = ctx
	stop := context.AfterFunc(ctx, x.conn.close)
	x.unwatch = func() bool {
		defer cancel(nil)
		return stop()
	}
}
