package smartclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// Sentinels that callers branch on with errors.Is.
var (
	// ErrBudgetSpent says that a retry would have been allowed, but the
	// service's retry budget was spent.
	ErrBudgetSpent = errors.New("retry budget is spent")
	// ErrThrottled says that the service refuses so much that the client did
	// not send the request; see Options.Throttle.
	ErrThrottled = errors.New("throttled: the service refuses too much, so nothing was sent")
	// ErrTooManyInFlight says that Options.MaxInFlight requests to the service
	// are on their way, and that this one was not sent.
	ErrTooManyInFlight = errors.New("too many requests in flight to the service, so nothing was sent")
	// ErrNoTime says that less time is left than the quickest answer of the
	// service took of late, so no (further) attempt was sent. It is also a
	// context.DeadlineExceeded.
	ErrNoTime = fmt.Errorf("too little time is left for an answer: %w", context.DeadlineExceeded)
	// ErrForeignRedirect says that an answer from outside the realm redirected
	// to a service. It was not followed: strangers must not choose whom callers
	// within the realm ask.
	ErrForeignRedirect = errors.New("redirect to a service by an answer that is no service's")
	// ErrAttemptTimeout says that an attempt had no response headers within
	// Options.AttemptTimeout.
	ErrAttemptTimeout error = attemptTimeout{}
)

// attemptTimeout is a timeout in net/http's sense, and not the context's.
type attemptTimeout struct{}

func (attemptTimeout) Error() string   { return "attempt timed out" }
func (attemptTimeout) Timeout() bool   { return true }
func (attemptTimeout) Temporary() bool { return true }

// An Attempt is what became of one try to send a request.
type Attempt struct {
	// Instance and Addr ("host:port") tell where it went.
	Instance string
	Addr     string
	// Err is set if there was no answer, else Status is its status.
	Err    error
	Status int
	// Sent is false if certainly no byte of the request reached the instance.
	Sent     bool
	Duration time.Duration
}

func (a Attempt) String() string {
	cause := fmt.Sprintf("status %d", a.Status)
	if a.Err != nil {
		cause = oneLine(causeOf(a.Err))
	}
	return fmt.Sprintf("%s (%s): %s", a.Instance, a.Addr, cause)
}

// causeOf is an error's text without what an attempt says of itself: the
// address, and that a sidecar was asked.
func causeOf(err error) string {
	switch err := err.(type) {
	case *net.OpError:
		return networkCause(err)
	case *SidecarError:
		return strings.TrimPrefix(err.Error(), sidecarSays)
	}
	return err.Error()
}

func networkCause(err *net.OpError) string {
	switch cause := err.Err.(type) {
	case *os.SyscallError: // names what failed
		return cause.Error()
	case *net.DNSError:
		if cause.Server != "" {
			return "lookup on " + cause.Server + ": " + cause.Err
		}
		return "lookup: " + cause.Err
	}
	return err.Op + ": " + err.Err.Error()
}

// An Error says why a request to a service has no answer. http.Client wraps it
// in a *url.Error, so use errors.As.
type Error struct {
	Service string
	Realm   string
	Method  string
	// Attempts lists what was tried, in order; none if no instance was found.
	Attempts []Attempt
	// Err is why it ended, if that was not simply the last attempt's failure:
	// the registry's word, the budget, or the context's end.
	Err error
	// Processed tells whether the service may have processed the request. If
	// false it certainly has not, and any request may be sent again.
	Processed bool
}

// Error returns one line, which says each fact once.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("service " + e.Service)
	if e.Realm != "" {
		b.WriteString(" in realm " + e.Realm)
	}
	last := e.tell(&b)
	if e.Err != nil {
		if why := oneLine(e.Err.Error()); last == "" {
			b.WriteString(": " + why)
		} else if !strings.HasSuffix(last, why) {
			b.WriteString("; " + why)
		}
	}
	if e.Processed {
		b.WriteString("; it may have been processed")
	}
	return b.String()
}

// tell writes what became of the attempts, those in a row together that ended
// alike, and returns what it said of the last.
func (e *Error) tell(b *strings.Builder) (last string) {
	for from := 0; from < len(e.Attempts); {
		last = e.Attempts[from].String()
		to := from + 1
		for to < len(e.Attempts) && e.Attempts[to].String() == last {
			to++
		}
		if to == from+1 {
			fmt.Fprintf(b, "; attempt %d at %s", to, last)
		} else {
			fmt.Fprintf(b, "; attempts %d to %d at %s", from+1, to, last)
		}
		from = to
	}
	return last
}

// Unwrap yields the reason of the end and the last attempt's error.
func (e *Error) Unwrap() []error {
	var all []error
	if e.Err != nil {
		all = append(all, e.Err)
	}
	if n := len(e.Attempts); n > 0 && e.Attempts[n-1].Err != nil {
		all = append(all, e.Attempts[n-1].Err)
	}
	return all
}

// Timeout tells whether time was what ran out, as net.Error has it.
func (e *Error) Timeout() bool {
	return slices.ContainsFunc(e.Unwrap(), isTimeout)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// oneLine keeps a stranger's line breaks out of logs.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}
