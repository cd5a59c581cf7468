package smartservice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// A caller that does not finish its headers holds a connection no longer.
	readHeaderTimeout = 10 * time.Second
	// Idle connections outlast those of callers (net/http keeps them 90 s), so
	// that it is the caller who closes: a server that does may meet a request
	// on its way.
	idleTimeout = 2 * time.Minute
)

// serve answers from now on, in a goroutine that the teardown joins.
func (l *life) serve(user http.Handler) {
	base, abandon := context.WithCancel(context.Background())
	l.abandon, l.fresh = abandon, newFresh()
	l.server = &http.Server{
		Handler:           l.handler(user),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		ConnState:         l.fresh.track,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(l.log.Handler(), slog.LevelWarn),
	}
	l.serving.Go(func() {
		if err := l.server.Serve(l.listener); !errors.Is(err, http.ErrServerClosed) {
			l.failed <- fmt.Errorf("serve: %w", err)
		}
	})
}

// handler answers the platform's own paths and has the rest instrumented.
func (l *life) handler(user http.Handler) http.Handler {
	platform := http.NewServeMux()
	probe{l.health, l.registrar.Incarnation(), l.notes}.handle(platform)
	platform.Handle("GET "+pathMetrics, l.telemetry.handler())
	instrumented := l.telemetry.instrument(requests(user, l.log))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.health.isDraining() {
			// Not SetKeepAlivesEnabled(false), which closes idle connections
			// at once and with them a request that is just arriving on one.
			w.Header().Set("Connection", "close")
		}
		switch r.URL.Path {
		case pathLive, pathReady, pathHealth, pathMetrics:
			platform.ServeHTTP(w, r)
		default:
			instrumented.ServeHTTP(w, r)
		}
	})
}

// notes tell a reader of /health how the service stands with the registry,
// which has no part in its health.
func (l *life) notes() []string {
	if lease, ok := l.registrar.Lease(); ok {
		return []string{"registered at revision " + lease.Revision.String()}
	}
	if err := l.registrar.Problem(); err != nil {
		return []string{"not registered: " + err.Error()}
	}
	return []string{"not registered"}
}
