package embedded

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// slogAdapter gives the server's log to slog. Notices are the server's
// chatter at start and stop, so they count as debug.
type slogAdapter struct {
	log *slog.Logger

	mu    sync.Mutex
	fatal error // first fatal message: the server reports what stops it only here
}

func (a *slogAdapter) Noticef(format string, v ...any) { a.log.Debug(fmt.Sprintf(format, v...)) }
func (a *slogAdapter) Debugf(format string, v ...any)  { a.log.Debug(fmt.Sprintf(format, v...)) }
func (a *slogAdapter) Tracef(format string, v ...any)  { a.log.Debug(fmt.Sprintf(format, v...)) }
func (a *slogAdapter) Errorf(format string, v ...any)  { a.log.Error(fmt.Sprintf(format, v...)) }

// plaintextPasswords is what the server says of passwords that are not
// bcrypt hashes. Ours are random, made for this server alone, and only ever in
// its memory and in a file that its owner alone can read.
const plaintextPasswords = "Plaintext passwords detected"

func (a *slogAdapter) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, plaintextPasswords) {
		a.log.Debug(fmt.Sprintf(format, v...))
		return
	}
	a.log.Warn(fmt.Sprintf(format, v...))
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
