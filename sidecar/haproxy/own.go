package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"

	"fairlead.dev/sidecar/httpserver"
	"fairlead.dev/sidecar/problem"
)

// serveOwn answers on a socket what HAProxy passes on of requests to the
// sidecar itself.
func (p *Plane) serveOwn() (end func(), err error) {
	if p.opts.Own == nil {
		return func() {}, nil
	}
	path := p.in.file(ownSock)
	// That of a sidecar that was killed; the folder's lock says that it is no
	// more.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen for the sidecar's own pages: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for the sidecar's own pages: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := httpserver.Run(ctx, listener, http.HandlerFunc(p.answerOwn), httpserver.Options{Logger: p.opts.Logger, Grace: p.opts.Grace}); err != nil {
			p.log.Warn("cannot serve the sidecar's own pages", "error", err)
		}
	}()
	return func() { cancel(); <-done }, nil
}

// answerOwn is for requests that name no service, at an address that is the
// sidecar's own.
func (p *Plane) answerOwn(w http.ResponseWriter, r *http.Request) {
	if _, pattern := p.opts.Own.Handler(r); pattern != "" {
		p.opts.Own.ServeHTTP(w, r)
		return
	}
	refusal := problem.New(http.StatusBadRequest, codeNotNamed, notNamed)
	refusal.Processed = problem.NotProcessed
	w.Header().Set("Fairlead-Error", refusal.Code())
	refusal.Write(w)
}
