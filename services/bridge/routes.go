package bridge

import (
	"context"
	"net/http"
	"strings"
	"time"

	"fairlead.dev/registry"
)

const (
	// keepAlive is how often a silent stream gets a comment, so that proxies
	// between keep it and both ends notice when the other is gone.
	keepAlive = 15 * time.Second
	// writeTimeout cuts readers that do not take what they asked for.
	writeTimeout = 10 * time.Second
	// hello tells a reader to come back after a second when it is cut off.
	hello = "retry: 1000\n\n"
)

// routes answers with the table of a realm, once or as a stream.
func (b *Bridge) routes(w http.ResponseWriter, r request) error {
	w.Header().Set("Vary", "Accept")
	if wantsStream(r.Header) {
		return b.streamRoutes(w, r)
	}
	return bounded(b.showRoutes)(w, r)
}

func (b *Bridge) showRoutes(w http.ResponseWriter, r request) error {
	v, err := b.view(r.Context(), registry.Interest{Realm: r.key.Realm})
	if err != nil {
		return err
	}
	if v.Services == nil {
		v.Services = []registry.ServiceSnapshot{}
	}
	return writeAsOf(w, r, v.Revision, v)
}

func wantsStream(h http.Header) bool {
	return strings.Contains(strings.ToLower(h.Get("Accept")), "text/event-stream")
}

func (b *Bridge) streamRoutes(w http.ResponseWriter, r request) error {
	feed, leave, err := b.feeds.join(r.key.Realm)
	if err != nil {
		return err
	}
	defer leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	stream := &stream{w: w, control: http.NewResponseController(w)}
	stream.copy(r.Context(), feed, feed.join(r.Header.Get("Last-Event-ID")))
	return nil
}

// A stream writes server-sent events to one reader.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// copy writes what a feed has from a place on until the reader goes or is too
// slow, or the feed ends.
func (s *stream) copy(ctx context.Context, feed *feed, at cursor) {
	if s.write([]byte(hello)) != nil {
		return
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		text, next, more := feed.read(at)
		if len(text) > 0 && s.write(text) != nil {
			return
		}
		at = next
		select {
		case <-more:
		case <-alive.C:
			if s.write([]byte(": still here\n\n")) != nil {
				return
			}
		case <-feed.ended:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *stream) write(text []byte) error {
	// Writers that know no deadline, such as recorders, never block.
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}
