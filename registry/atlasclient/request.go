package atlasclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// requestTimeout bounds requests whose context has no end of its own.
const requestTimeout = 5 * time.Second

func (c *Client) request(ctx context.Context, subject string, body, reply any) error {
	data, err := c.exchange(ctx, subject, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, reply); err != nil {
		return notUnderstood(err)
	}
	return nil
}

func notUnderstood(err error) error { return fmt.Errorf("answer is not to be understood: %w", err) }

// exchange returns the body of an answer that is no refusal.
func (c *Client) exchange(ctx context.Context, subject string, body any) ([]byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	ctx, release := c.whileConnected(ctx)
	defer release()
	msg, err := c.conn.Request(ctx, &nats.Msg{Subject: subject, Data: data})
	if err != nil {
		return nil, c.unsent(cmp.Or(lossOf(ctx), err))
	}
	if err := problemOf(msg); err != nil {
		return nil, err
	}
	return msg.Data, nil
}

// errLost ends requests whose answer has nowhere to come to any more: waiting
// for it until they time out would keep their senders from asking another
// server.
var errLost = errors.New("the connection was lost before the answer came")

// whileConnected returns a context that ends with the connection.
func (c *Client) whileConnected(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	remove := c.conn.OnDisconnect(func(error) { cancel(errLost) })
	return ctx, func() { remove(); cancel(nil) }
}

// lossOf returns errLost if that was what ended a context.
func lossOf(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, errLost) {
		return cause
	}
	return nil
}

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, requestTimeout)
}

// unsent is unavailable for what could not be sent. Before its first connection
// nats finds that no server supports headers, which is beside the point.
func (c *Client) unsent(err error) error {
	if errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrHeadersNotSupported) && !c.conn.Connected() {
		return fmt.Errorf("%w: no connection to the bus at %s", registry.ErrUnavailable, c.conn.URL())
	}
	return unavailable(err)
}

// unavailable gives what the bus said the registry's word for it. A caller
// that gave up learns just that.
func unavailable(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, bus.ErrForbidden):
		return err
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: nobody answers on the bus", registry.ErrUnavailable)
	case errors.Is(err, nats.ErrMaxPayload):
		return &registry.FieldError{Field: "body", Problem: "must be smaller: the bus does not carry it"}
	}
	return fmt.Errorf("%w: %w", registry.ErrUnavailable, err)
}

// problemOf returns the refusal that a message carries, nil if it is none.
func problemOf(msg *nats.Msg) error {
	if msg.Header.Get(micro.ErrorCodeHeader) == "" {
		return nil
	}
	var p protocol.Problem
	if json.Unmarshal(msg.Data, &p) == nil && p.Code != "" {
		return &p
	}
	return fmt.Errorf("refused: %s", msg.Header.Get(micro.ErrorHeader))
}
