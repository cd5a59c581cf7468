package embedded

import (
	_ "embed"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// accountsConf is the text that an external server includes as well.
//
//go:embed accounts.conf
var accountsConf string

const (
	// A peer that vanished without a FIN is noticed after two missed pings.
	pingInterval = 5 * time.Second
	maxPingsOut  = 2

	// syncInterval only paces what synced writes leave over; it is the
	// server's default, which a configuration file would have filled in.
	syncInterval = 2 * time.Minute
)

// batchLimits bound what an atomic batch that nobody commits takes of the
// disk. The registry's own batches are as large; what the server refuses is
// written singly.
var batchLimits = server.JSLimitOpts{
	MaxBatchSize:              256,
	MaxBatchInflightPerStream: 16,
	MaxBatchTimeout:           2 * time.Second,
}

// serverOptions turns ours into the server's: the accounts from the text, the
// rest in code because it differs from process to process.
func serverOptions(opts Options, creds Credentials) (*server.Options, error) {
	so := &server.Options{}
	if err := so.ProcessConfigString(creds.definitions() + accountsConf); err != nil {
		return nil, fmt.Errorf("embedded bus: read accounts: %w", err)
	}
	so.ServerName = creds.ServerName
	so.Host, so.Port = opts.Host, listenPort(opts.Port)
	so.NoAuthUser = anonymousUser(opts)
	so.JetStream, so.StoreDir = true, storeDir(opts)
	so.SyncAlways, so.SyncInterval = !opts.Unsynced, syncInterval
	so.JetStreamLimits = batchLimits
	so.PingInterval, so.MaxPingsOut = pingInterval, maxPingsOut
	so.MaxPayload = opts.MaxPayload
	so.ClientAdvertise = opts.Advertise
	so.NoSigs = true
	if opts.Cluster == nil {
		return so, nil
	}
	return so, opts.Cluster.join(so)
}

// listenPort translates the usual "0 picks one" into the server's -1.
func listenPort(port int) int {
	if port == 0 {
		return server.RANDOM_PORT
	}
	return port
}

// anonymousUser names the user of connections that bring no credentials. Only
// on loopback, where whoever connects is on this machine already.
func anonymousUser(opts Options) string {
	if opts.RequireLogin || !isLoopback(opts.Host) {
		return ""
	}
	return appUser
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
