package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"fairlead.dev/bench/internal/systems"
)

const startWithin = 20 * time.Second

// Serve runs a server of one member until ctx ends. Settings are etcd's
// defaults (every write is synced), but for where it listens and what it logs.
func Serve(ctx context.Context, p systems.Place) error {
	cfg := embed.NewConfig()
	cfg.Dir = filepath.Join(p.Dir, "data")
	cfg.LogLevel = "error"
	client := []url.URL{{Scheme: "http", Host: p.Address()}}
	// Any free port: nobody else is in this cluster.
	peer := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = client, client
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = peer, peer
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer server.Close()
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(startWithin):
		return errors.New("etcd: not ready")
	}
	select {
	case err := <-server.Err():
		return fmt.Errorf("etcd: %w", err)
	case <-ctx.Done():
		return nil
	}
}
