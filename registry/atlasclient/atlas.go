package atlasclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// Register implements [registry.Atlas].
func (c *Client) Register(ctx context.Context, k registry.Key, r registry.Registration, life registry.Life) (registry.Lease, error) {
	if err := k.Validate(); err != nil {
		return registry.Lease{}, fmt.Errorf("%s: %w", protocol.Register, err)
	}
	reply, err := c.register(ctx, k, protocol.RegisterRequest{
		Registration: r.WithDefaults(), Incarnation: life.Incarnation, Token: life.Token, Via: c.via,
	})
	if err == nil {
		c.pulse.registered(k, reply.Beats)
	}
	return reply.Lease(), err
}

func (c *Client) register(ctx context.Context, k registry.Key, body protocol.RegisterRequest) (reply protocol.LeaseReply, err error) {
	data, err := c.exchange(ctx, protocol.Subject(protocol.Register, k), body)
	if err == nil {
		if reply, err = protocol.ReadLeaseReply(data); err != nil {
			err = notUnderstood(err)
		}
	}
	if err != nil {
		return protocol.LeaseReply{}, fmt.Errorf("%s %s: %w", protocol.Register, k, err)
	}
	return reply, nil
}

// Heartbeat implements [registry.Atlas]. Where a client speaks for several
// instances it may wait a moment for the others.
func (c *Client) Heartbeat(ctx context.Context, k registry.Key, beat registry.Heartbeat) error {
	if err := k.Validate(); err != nil {
		return fmt.Errorf("%s: %w", protocol.Heartbeat, err)
	}
	answer := make(chan error, 1)
	if c.pulse.gather(gathered{k, beat, answer}) {
		err := c.pulse.await(ctx, k, answer)
		if !errors.Is(err, errAlone) {
			return err
		}
	}
	return c.askAlone(ctx, k, beat)
}

func (c *Client) askAlone(ctx context.Context, k registry.Key, beat registry.Heartbeat) error {
	_, err := ask[struct{}](ctx, c, protocol.Heartbeat, k, messageOf(beat))
	return err
}

// Beat implements [registry.Beater]. Without a connection it fails with
// [registry.ErrUnavailable].
func (c *Client) Beat(k registry.Key, beat registry.Heartbeat) error {
	if err := k.Validate(); err != nil {
		return err
	}
	if c.conn.Connected() && c.pulse.gather(gathered{k, beat, nil}) {
		return nil
	}
	return c.publish(k, protocol.Subject(protocol.Beat, k), messageOf(beat))
}

func (c *Client) publish(k registry.Key, subject string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("heartbeat %s: %w", k, err)
	}
	if err := c.conn.NATS().Publish(subject, data); err != nil {
		return fmt.Errorf("heartbeat %s: %w", k, c.unsent(err))
	}
	return nil
}

func messageOf(b registry.Heartbeat) protocol.HeartbeatMessage {
	return protocol.HeartbeatMessage{
		Incarnation: b.Incarnation, Token: b.Token,
		Status: b.Status, InFlight: b.InFlight, Load: b.Load,
	}
}

// Deregister implements [registry.Atlas].
func (c *Client) Deregister(ctx context.Context, k registry.Key, incarnation, token string) error {
	c.pulse.drop(k)
	_, err := ask[struct{}](ctx, c, protocol.Deregister, k, protocol.DeregisterRequest{Incarnation: incarnation, Token: token})
	return err
}

// SetFlag implements [registry.Atlas].
func (c *Client) SetFlag(ctx context.Context, k registry.Key, flag *registry.Flag) (registry.Revision, error) {
	return c.override(ctx, protocol.Flag, k, protocol.FlagRequest{Flag: flag})
}

// SetWeight implements [registry.Atlas].
func (c *Client) SetWeight(ctx context.Context, k registry.Key, weight *registry.Weight) (registry.Revision, error) {
	return c.override(ctx, protocol.Weight, k, protocol.WeightRequest{Weight: weight})
}

// SetDrain implements [registry.Atlas].
func (c *Client) SetDrain(ctx context.Context, k registry.Key, drain *registry.Drain) (registry.Revision, error) {
	return c.override(ctx, protocol.Drain, k, protocol.DrainRequest{Drain: drain})
}

// SetMeta implements [registry.Atlas].
func (c *Client) SetMeta(ctx context.Context, k registry.ServiceKey, meta *registry.Meta, expect *registry.Revision) (registry.Revision, error) {
	var reply protocol.RevisionReply
	err := askService(ctx, c, protocol.Meta, k, protocol.MetaRequest{Meta: meta, Expect: expect}, &reply)
	return reply.Revision, err
}

func (c *Client) override(ctx context.Context, verb string, k registry.Key, body any) (registry.Revision, error) {
	reply, err := ask[protocol.RevisionReply](ctx, c, verb, k, body)
	return reply.Revision, err
}

// Status asks how the registry itself stands, and the realm in it.
func (c *Client) Status(ctx context.Context, realm string) (protocol.StatusReply, error) {
	if err := checkInterest(registry.Interest{Realm: realm}); err != nil {
		return protocol.StatusReply{}, fmt.Errorf("status: %w", err)
	}
	var reply protocol.StatusReply
	err := c.request(ctx, protocol.Status(realm), struct{}{}, &reply)
	if err != nil {
		return protocol.StatusReply{}, fmt.Errorf("status: %w", err)
	}
	return reply, nil
}

// ask sends a request about an instance. A key that could not stand in a
// subject is refused here, with what Atlas would say.
func ask[T any](ctx context.Context, c *Client, verb string, k registry.Key, body any) (T, error) {
	var reply, none T
	if err := k.Validate(); err != nil {
		return none, fmt.Errorf("%s: %w", verb, err)
	}
	if err := c.request(ctx, protocol.Subject(verb, k), body, &reply); err != nil {
		return none, about(verb, k, err)
	}
	return reply, nil
}

// about says what was asked of which instance. Atlas names it in some of what
// it says, and once is enough.
func about(verb string, k registry.Key, err error) error {
	if strings.HasPrefix(err.Error(), k.String()+": ") {
		return fmt.Errorf("%s %w", verb, err)
	}
	return fmt.Errorf("%s %s: %w", verb, k, err)
}

// Facts implements [registry.Explainer].
func (c *Client) Facts(ctx context.Context, k registry.ServiceKey) (registry.ServiceFacts, error) {
	var facts registry.ServiceFacts
	err := askService(ctx, c, protocol.Explain, k, struct{}{}, &facts)
	return facts, err
}

// askService sends a request about a service.
func askService(ctx context.Context, c *Client, verb string, k registry.ServiceKey, body, reply any) error {
	if err := k.Validate(); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	if err := c.request(ctx, protocol.ServiceSubject(verb, k), body, reply); err != nil {
		return fmt.Errorf("%s %s: %w", verb, k, err)
	}
	return nil
}
