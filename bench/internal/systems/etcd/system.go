// Package etcd drives etcd: one key an instance, under a lease, and a watch on
// a prefix for each listener.
package etcd

import (
	"context"
	"strings"

	"go.etcd.io/etcd/api/v3/version"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"fairlead.dev/bench/internal/systems"
)

// A System is etcd.
type System struct{}

// Name implements [systems.System].
func (System) Name() string { return "etcd" }

// Peer implements [systems.System].
func (System) Peer() bool { return true }

// Server implements [systems.System]; see [Serve].
func (System) Server(systems.Place) systems.Command { return systems.Command{} }

// Prepare implements [systems.System]. There is nothing to make.
func (s System) Prepare(ctx context.Context, p systems.Place) error {
	client, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	_, err = client.Get(ctx, prefix(""), clientv3.WithCountOnly())
	return err
}

// Version implements [systems.System].
func (System) Version(context.Context, systems.Place) (string, error) { return version.Version, nil }

// Dial implements [systems.System].
func (System) Dial(ctx context.Context, p systems.Place, terms systems.Terms) (systems.Conn, error) {
	client, err := open(ctx, p)
	if err != nil {
		return nil, err
	}
	// The connection is made by the first request.
	if _, err := client.Get(ctx, prefix(""), clientv3.WithCountOnly()); err != nil {
		_ = client.Close()
		return nil, err
	}
	return newConn(client, terms), nil
}

func open(ctx context.Context, p systems.Place) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: []string{p.Address()}, Context: context.WithoutCancel(ctx), Logger: zap.NewNop(),
	})
}

func prefix(service string) string {
	all := "hosts/" + systems.Realm + "/"
	if service == "" {
		return all
	}
	return all + service + "/"
}

func pathOf(in systems.Instance) string { return prefix(in.Service) + in.ID }

func keyOf(path string) (systems.Key, bool) {
	service, id, found := strings.Cut(strings.TrimPrefix(path, prefix("")), "/")
	return systems.Key{Service: service, ID: id}, found
}
