// Package natskv drives plain NATS JetStream as a registry: a key-value bucket
// with one key an instance. Listeners watch the bucket, which is what NATS
// offers for it, or subscribe to what the bucket republishes.
package natskv

import (
	"context"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bench/internal/systems"
)

const (
	bucket = "hosts"
	// republished is where the bucket's changes appear on plain subjects.
	republished = "republished."
)

// A System is NATS KV.
type System struct {
	// Republish has listeners subscribe to the bucket's republished changes
	// instead of watching it. Nothing heals them if they miss one, so this is
	// for information.
	Republish bool
}

// Name implements [systems.System].
func (s System) Name() string {
	if s.Republish {
		return "nats-republish"
	}
	return "nats"
}

// Peer implements [systems.System].
func (s System) Peer() bool { return !s.Republish }

// Server implements [systems.System]; see [Serve].
func (System) Server(systems.Place) systems.Command { return systems.Command{} }

// Prepare implements [systems.System]: it makes the bucket.
func (s System) Prepare(ctx context.Context, p systems.Place) error {
	nc, err := open(p)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	_, err = js.CreateOrUpdateKeyValue(ctx, s.config())
	return err
}

func (s System) config() jetstream.KeyValueConfig {
	cfg := jetstream.KeyValueConfig{Bucket: bucket, Storage: jetstream.FileStorage, Replicas: 1}
	if s.Republish {
		cfg.RePublish = &jetstream.RePublish{Source: ">", Destination: republished + ">"}
	}
	return cfg
}

// Version implements [systems.System].
func (System) Version(context.Context, systems.Place) (string, error) { return server.VERSION, nil }

// Dial implements [systems.System]. Nothing expires.
func (s System) Dial(ctx context.Context, p systems.Place, _ systems.Terms) (systems.Conn, error) {
	nc, err := open(p)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		nc.Close()
		return nil, err
	}
	c := &conn{nc: nc, kv: kv}
	if s.Republish {
		return republishing{c}, nil
	}
	return c, nil
}

// open uses the client's defaults, but goes on trying to reconnect.
func open(p systems.Place) (*nats.Conn, error) {
	return nats.Connect("nats://"+p.Address(), nats.MaxReconnects(-1), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
}

func pattern(service string) string {
	if service == "" {
		return systems.Realm + ".>"
	}
	return systems.Realm + "." + service + ".>"
}

func nameOf(in systems.Instance) string { return systems.Realm + "." + in.Service + "." + in.ID }

func keyOf(name string) (systems.Key, bool) {
	service, id, found := strings.Cut(strings.TrimPrefix(name, systems.Realm+"."), ".")
	return systems.Key{Service: service, ID: id}, found
}
