package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// slogAdapter gives the server's log to slog. Notices are the server's
// chatter at start and stop, so they count as debug.
type slogAdapter struct {
	log *slog.Logger

	mu      sync.Mutex
	fatal   error     // first fatal message: the server reports what stops it only here
	refused time.Time // when a stranger among the nodes was last told of

	// stuck is set once a stream, or what replicates it, has given up writing.
	// The server reports that only here, too.
	stuck atomic.Bool
	// cleanup is called when JetStream did not start, before the server cleans
	// up after that.
	cleanup atomic.Pointer[func()]
}

func (a *slogAdapter) Noticef(format string, v ...any) { a.say(slog.LevelDebug, format, v) }
func (a *slogAdapter) Debugf(format string, v ...any)  { a.say(slog.LevelDebug, format, v) }
func (a *slogAdapter) Tracef(format string, v ...any)  { a.say(slog.LevelDebug, format, v) }
func (a *slogAdapter) Warnf(format string, v ...any)   { a.say(slog.LevelWarn, format, v) }
func (a *slogAdapter) Errorf(format string, v ...any)  { a.say(slog.LevelError, format, v) }

func (a *slogAdapter) say(level slog.Level, format string, v []any) {
	message := fmt.Sprintf(format, v...)
	if isWriteFailure(message) {
		a.stuck.Store(true)
	}
	if before := a.cleanup.Load(); before != nil && strings.HasPrefix(message, notStarted) {
		(*before)()
	}
	switch {
	case slices.ContainsFunc(ordinary, func(begin string) bool { return strings.HasPrefix(message, begin) }):
		level = slog.LevelDebug
	case isRefusal(message):
		level = slog.LevelDebug
		a.tellOfStrangers()
	}
	a.log.Log(context.Background(), level, message)
}

// isWriteFailure finds what the server says of streams, of their files and of
// their replication when a write failed, the last that it writes there.
func isWriteFailure(message string) bool {
	return strings.Contains(message, "ritical write error: ")
}

// isRefusal finds what the two nodes of a route say when their passwords
// differ, several times a second for as long as they do.
func isRefusal(message string) bool {
	return strings.HasSuffix(message, "Route Error 'Authorization Violation'") ||
		strings.Contains(message, " - rid:") && strings.Contains(message, " - authentication error")
}

// tellOfStrangers says the same once in a while, and what to do about it.
func (a *slogAdapter) tellOfStrangers() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.refused) < quorumRemind {
		return
	}
	a.refused = time.Now()
	a.log.Error("this node and another one do not let each other in: the cluster's password must be the same on both")
}

// ordinary is how messages begin that are no cause for concern.
var ordinary = []string{
	// Ours are random, made for this bus alone, and only ever in its memory
	// and in files that their owner alone can read.
	"Plaintext passwords detected",
	// A cluster's nodes start one after the other, and one may be away for
	// long. [Server.AwaitQuorum] tells of what is amiss.
	"Error trying to connect to route",
	"Waiting for routing to be established",
	"JetStream has not established contact with a meta leader",
}

// Fatalf must not end the process: the server lives in somebody else's.
func (a *slogAdapter) Fatalf(format string, v ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fatal == nil {
		a.fatal = fmt.Errorf(format, v...)
	}
}

func (a *slogAdapter) fatalError() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fatal
}
