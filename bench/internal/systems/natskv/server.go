package natskv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"fairlead.dev/bench/internal/systems"
)

const (
	startWithin = 20 * time.Second
	// consumersMost lifts the default of 1,000 consumers a stream: every
	// watcher is one.
	consumersMost = 100_000
)

// Serve runs a server until ctx ends, with its defaults but for synced writes
// and the number of consumers.
func Serve(ctx context.Context, p systems.Place) error {
	ns, err := server.NewServer(&server.Options{
		ServerName: "bench", Host: "127.0.0.1", Port: p.Port, NoSigs: true,
		JetStream: true, StoreDir: filepath.Join(p.Dir, "data"), SyncAlways: true,
		JetStreamLimits: server.JSLimitOpts{DefaultMaxConsumers: consumersMost},
	})
	if err != nil {
		return fmt.Errorf("nats-server: %w", err)
	}
	ns.Start()
	defer func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	}()
	if !ns.ReadyForConnections(startWithin) {
		return errors.New("nats-server: not ready")
	}
	<-ctx.Done()
	return nil
}
