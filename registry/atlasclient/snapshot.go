package atlasclient

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// Snapshot implements [registry.Source]. It returns everything or an error,
// never a part.
func (c *Client) Snapshot(ctx context.Context, in registry.Interest) (registry.Snapshot, error) {
	if err := checkInterest(in); err != nil {
		return registry.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	var joined protocol.Joiner
	defer joined.Wait()
	if err := c.gather(ctx, protocol.Snapshot(in), &joined); err != nil {
		return registry.Snapshot{}, fmt.Errorf("snapshot of %s: %w", nameOf(in), err)
	}
	s, err := joined.Snapshot()
	if err == nil && s.Realm != in.Realm {
		err = fmt.Errorf("answer is of realm %q", s.Realm)
	}
	if err != nil {
		return registry.Snapshot{}, fmt.Errorf("snapshot of %s: %w", nameOf(in), err)
	}
	return s, nil
}

func checkInterest(in registry.Interest) error {
	var errs registry.FieldErrors
	errs.Add(registry.ValidateName("realm", in.Realm))
	if in.Service != "" {
		errs.Add(registry.ValidateName("service", in.Service))
	}
	return errs.Err()
}

func nameOf(in registry.Interest) string {
	if in.Service == "" {
		return "realm " + in.Realm
	}
	return in.Realm + "/" + in.Service
}

// gather asks once and collects the parts of the answer. A connection that is
// lost meanwhile ends it: the rest is not going to come.
func (c *Client) gather(ctx context.Context, subject string, joined *protocol.Joiner) error {
	nc := c.conn.NATS()
	inbox := nc.NewInbox()
	// A synchronous subscription would make room for 65,536 messages, half a
	// mebibyte for each answer.
	parts := make(chan *nats.Msg, protocol.PartsMost)
	sub, err := nc.ChanSubscribe(inbox, parts)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	ctx, end := c.conn.WhilePermitted(ctx, subject)
	defer end()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer c.conn.OnDisconnect(func(error) { cancel(nats.ErrDisconnected) })()
	request := &nats.Msg{Subject: subject, Reply: inbox, Header: nats.Header{protocol.EncodingHeader: {protocol.EncodingPacked}}}
	if err := nc.PublishMsg(request); err != nil {
		return c.unsent(err)
	}
	err = collect(ctx, parts, joined)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, bus.ErrForbidden) {
		return cause
	}
	if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && errors.Is(cause, nats.ErrDisconnected) {
		return unavailable(cause)
	}
	return err
}

func collect(ctx context.Context, parts <-chan *nats.Msg, joined *protocol.Joiner) error {
	for {
		select {
		case <-ctx.Done():
			return unavailable(ctx.Err())
		case msg := <-parts:
			if complete, err := addPart(joined, msg); err != nil || complete {
				return err
			}
		}
	}
}

func addPart(joined *protocol.Joiner, msg *nats.Msg) (complete bool, err error) {
	if noResponders(msg) {
		return false, unavailable(nats.ErrNoResponders)
	}
	if err := problemOf(msg); err != nil {
		return false, err
	}
	return joined.Add(protocol.Part{Header: msg.Header, Body: msg.Data})
}

// noResponders tells the server's own answer that nobody listens.
func noResponders(msg *nats.Msg) bool {
	return len(msg.Data) == 0 && msg.Header.Get("Status") == "503"
}
