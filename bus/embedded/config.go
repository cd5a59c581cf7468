package embedded

import (
	"cmp"
	_ "embed"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// accountsConf is the text that an external server includes as well.
//
//go:embed accounts.conf
var accountsConf string

// loopbackUsers are what that text includes where nobody has to log in.
//
//go:embed users.conf
var loopbackUsers string

// includeUsers is where accountsConf does so.
const includeUsers = "include users.conf\n"

const (
	// A peer that vanished without a FIN is noticed after two missed pings.
	pingInterval = 5 * time.Second
	maxPingsOut  = 2

	// syncInterval only paces what synced writes leave over; it is the
	// server's default, which a configuration file would have filled in.
	syncInterval = 2 * time.Minute

	// A handshake may wait for a busy machine; the server's default is 2 s.
	handshakeTimeout = 5 * time.Second
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
	if err := so.ProcessConfigString(configText(opts, creds)); err != nil {
		return nil, fmt.Errorf("embedded bus: read accounts: %w", err)
	}
	if opts.Users != "" {
		so.Users = append(so.Users, ownUsers(so.Accounts, creds)...)
	}
	if opts.TLS != nil {
		so.TLS, so.TLSConfig, so.TLSTimeout = true, opts.TLS, handshakeTimeout.Seconds()
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
	// Each instance's heartbeats have a subject of their own. Of many, every one
	// would miss the cache, and take its lock for all others.
	so.NoSublistCache = true
	if opts.Cluster == nil {
		return so, nil
	}
	return so, opts.Cluster.join(so)
}

// configText is the accounts with their users in place of the include.
func configText(opts Options, creds Credentials) string {
	users := cmp.Or(opts.Users, creds.definitions()+loopbackUsers)
	return strings.Replace(accountsConf, includeUsers, users, 1)
}

// ownUsers are this process's, which the users of others know nothing of.
func ownUsers(accounts []*server.Account, creds Credentials) []*server.User {
	logins := map[string]UserPassword{"SYS": creds.Sys, "ATLAS": creds.Atlas, "APP": creds.App}
	var users []*server.User
	for _, account := range accounts {
		if login, ok := logins[account.Name]; ok {
			users = append(users, &server.User{Username: login.User, Password: login.Password, Account: account})
		}
	}
	return users
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
	if opts.RequireLogin || opts.Users != "" || !isLoopback(opts.Host) {
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
