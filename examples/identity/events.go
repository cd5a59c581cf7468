package identity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// keepAlive is how often a silent stream says that it is alive, for proxies
// that close what is idle.
const keepAlive = 15 * time.Second

// events streams changes of users. It ends when the service drains, so that
// its listener comes back at another copy.
func (s *service) events(w http.ResponseWriter, r *http.Request) {
	changes, stop := s.users.listen()
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	fmt.Fprintf(w, ": changes of users\n\n")
	for out.Flush() == nil {
		select {
		case c := <-changes:
			writeEvent(w, c)
		case <-tick.C:
			fmt.Fprint(w, ": alive\n\n")
		case <-s.app.Draining():
			return
		case <-r.Context().Done():
			return
		}
	}
}

func writeEvent(w http.ResponseWriter, c change) {
	// A struct of strings cannot fail.
	data, _ := json.Marshal(c)
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", c.Kind, data)
}
