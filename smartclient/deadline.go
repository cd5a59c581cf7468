package smartclient

import (
	"context"
	"time"
)

// timeoutSaid returns what the caller says of the time that a call may take,
// in the client's options or in the request's header, whichever is less; 0 if
// it says nothing, negative if it wants no bound.
func timeoutSaid(option, asked time.Duration, hasAsked bool) time.Duration {
	switch {
	case !hasAsked:
		return option
	case option > 0:
		return min(option, max(asked, noTime))
	}
	return max(asked, noTime)
}

// noTime stands for a time that is over, where zero says nothing.
const noTime = time.Nanosecond

// bound ends the call's context when its time is over.
func (c *call) bound(timeout time.Duration) {
	switch {
	case timeout == noTime:
		c.ctx, c.cancel = context.WithTimeout(c.ctx, 0)
	case timeout > 0:
		c.ctx, c.cancel = context.WithTimeout(c.ctx, timeout-(c.t.now()-c.began))
	}
}

// release frees what bound took.
func (c *call) release() {
	if c.cancel != nil {
		c.cancel()
	}
}

// answerEnded ends the call with the answer that the caller got.
func (c *call) answerEnded() {
	if c.final {
		c.release()
	}
}
