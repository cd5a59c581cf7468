package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
)

// publishTimeout is how long an acknowledgement is waited for when the context
// has no deadline of its own.
const publishTimeout = 5 * time.Second

// Ack is the stream's word that it has an event.
type Ack struct {
	Stream    string
	Sequence  uint64
	Duplicate bool // an event of the same source and id was there already
}

// PublishError says that the stream refused an event.
type PublishError struct {
	Subject     string
	Code        int // like an HTTP status
	ErrorCode   int // JetStream's own
	Description string
}

func (e *PublishError) Error() string {
	return fmt.Sprintf("publish to %s: refused: %s (%d)", e.Subject, e.Description, e.ErrorCode)
}

// Publish stores an event and waits for the stream's acknowledgement, five
// seconds if ctx has no deadline. An error that wraps [ErrUnavailable] or
// ctx's leaves open whether it was stored; publishing the same event again is
// safe, the stream knows it by source and id. A [*PublishError] is a refusal.
func (c *Conn) Publish(ctx context.Context, subject string, e event.Event) (Ack, error) {
	msg, err := EncodeEvent(subject, withTrace(ctx, e))
	if err != nil {
		return Ack{}, fmt.Errorf("publish to %s: %w", subject, err)
	}
	reply, err := c.Request(ctx, msg)
	if err != nil {
		return Ack{}, fmt.Errorf("publish to %s: %w", subject, err)
	}
	return parseAck(subject, reply.Data)
}

// Request sends a message and waits for one answer, five seconds if ctx has no
// deadline. Nobody listening and no connection are [ErrUnavailable].
func (c *Conn) Request(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, publishTimeout)
		defer cancel()
	}
	ctx, end := c.WhilePermitted(ctx, msg.Subject)
	defer end()
	reply, err := c.nc.RequestMsgWithContext(ctx, msg)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, ErrForbidden) {
		return nil, cause
	}
	if isUnavailable(err) {
		return nil, unavailable(err)
	}
	return reply, err
}

// WhilePermitted returns a context that ends, with a cause that wraps
// [ErrForbidden], as soon as the server says that this user may not publish on
// a subject. The server says so to the connection and not in answer to the
// message, so all who publish there are told. Call end when done.
func (c *Conn) WhilePermitted(ctx context.Context, subject string) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	remove := c.forbidden.add(func(err error) {
		if strings.HasSuffix(err.Error(), fmt.Sprintf("Publish to %q", subject)) {
			cancel(fmt.Errorf("%w: these credentials may not publish on %s", ErrForbidden, subject))
		}
	})
	return ctx, func() { remove(); cancel(nil) }
}

func isUnavailable(err error) bool {
	for _, away := range []error{
		nats.ErrNoResponders, nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed,
		nats.ErrConnectionReconnecting, nats.ErrConnectionDraining, nats.ErrDisconnected,
	} {
		if errors.Is(err, away) {
			return true
		}
	}
	return false
}

func parseAck(subject string, data []byte) (Ack, error) {
	var reply struct {
		Stream    string `json:"stream"`
		Sequence  uint64 `json:"seq"`
		Duplicate bool   `json:"duplicate"`
		Error     *struct {
			Code        int    `json:"code"`
			ErrorCode   int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(data, &reply); err != nil {
		return Ack{}, fmt.Errorf("publish to %s: read acknowledgement: %w", subject, err)
	}
	if e := reply.Error; e != nil {
		return Ack{}, &PublishError{Subject: subject, Code: e.Code, ErrorCode: e.ErrorCode, Description: e.Description}
	}
	if reply.Stream == "" {
		return Ack{}, fmt.Errorf("publish to %s: answered by something that is no stream", subject)
	}
	return Ack{Stream: reply.Stream, Sequence: reply.Sequence, Duplicate: reply.Duplicate}, nil
}
