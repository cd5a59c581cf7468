package bus

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Where the connection's settings come from when they are not given.
const (
	EnvURL         = "FAIRLEAD_NATS_URL"
	EnvCredentials = "FAIRLEAD_CREDENTIALS" // path of a file that `fairlead credentials add` wrote
	EnvCA          = "FAIRLEAD_CA"          // path of the authority's certificate, if it is not in that file
	EnvCreds       = "FAIRLEAD_NATS_CREDS"  // path of a NATS .creds file
	EnvUser        = "FAIRLEAD_NATS_USER"
	EnvPassword    = "FAIRLEAD_NATS_PASSWORD"
)

// DefaultURL is where a bus on the same machine listens.
const DefaultURL = nats.DefaultURL

// Options of a connection. The zero value connects to the bus that the
// environment names, or to the one on this machine.
type Options struct {
	URL  string // one, or several separated by commas; default FAIRLEAD_NATS_URL, then [DefaultURL]
	Name string // shown in the server's list of connections; default the program's name

	// How to log in. If all are empty the environment is asked.
	User, Password  string
	Token           string
	CredsFile       string // a NATS .creds file
	CredentialsFile string // one that `fairlead credentials add` wrote

	// CAFile has the certificates, in PEM, that servers are verified by;
	// default FAIRLEAD_CA, then what the credentials file says, then the
	// system's. With one of the first two nothing but TLS is spoken.
	CAFile      string
	TLS         *tls.Config // instead of CAFile
	InboxPrefix string      // where this user's replies go; default the credentials', then _INBOX

	credentials Credentials // what CredentialsFile has

	// InProcess connects to a server of the same process without a socket.
	// URL is ignored then.
	InProcess nats.InProcessConnProvider

	// FailFast makes the first failure to connect an error of [Connect], as a
	// command that somebody waits for wants it.
	FailFast bool

	Logger *slog.Logger // nil: slog.Default()
}

const (
	// A restarted server is found again within a second, and its clients do
	// not come all at once.
	reconnectWait   = 100 * time.Millisecond
	reconnectJitter = 150 * time.Millisecond
	dialTimeout     = 2 * time.Second

	// A server that vanished without a FIN is noticed after two missed pings.
	pingInterval = 5 * time.Second
	maxPingsOut  = 2

	// Negative: publishing without a connection is an error at once.
	noReconnectBuffer = -1
)

func (o Options) withDefaults() Options {
	o.URL = cmp.Or(o.URL, os.Getenv(EnvURL), DefaultURL)
	o.Name = cmp.Or(o.Name, filepath.Base(os.Args[0]))
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = o.Logger.With("component", "bus")
	if o.InProcess != nil {
		return o // the environment is about another server
	}
	o.CAFile = cmp.Or(o.CAFile, os.Getenv(EnvCA))
	if o.hasLogin() {
		return o
	}
	o.CredentialsFile = os.Getenv(EnvCredentials)
	o.CredsFile = os.Getenv(EnvCreds)
	o.User, o.Password = os.Getenv(EnvUser), os.Getenv(EnvPassword)
	return o
}

func (o Options) hasLogin() bool {
	return o.User != "" || o.Token != "" || o.CredsFile != "" || o.CredentialsFile != ""
}

// withFiles reads the files that the options name.
func (o Options) withFiles() (Options, error) {
	if o.CredentialsFile != "" {
		var err error
		if o.credentials, err = ReadCredentials(o.CredentialsFile); err != nil {
			return o, err
		}
		o.InboxPrefix = cmp.Or(o.InboxPrefix, o.credentials.Inbox())
	}
	if o.TLS != nil || o.InProcess != nil {
		return o, nil
	}
	return o.withAuthority()
}

func (o Options) withAuthority() (Options, error) {
	pem := []byte(o.credentials.CA)
	if o.CAFile != "" {
		var err error
		if pem, err = os.ReadFile(o.CAFile); err != nil {
			return o, fmt.Errorf("read the authority's certificate: %w", err)
		}
	}
	if len(pem) == 0 {
		return o, nil
	}
	config, err := trusting(pem)
	if err != nil {
		return o, fmt.Errorf("%s: %w", cmp.Or(o.CAFile, o.CredentialsFile), err)
	}
	o.TLS = config
	return o, nil
}

func (o Options) natsOptions() []nats.Option {
	opts := []nats.Option{
		nats.Name(o.Name),
		nats.Timeout(dialTimeout),
		nats.RetryOnFailedConnect(!o.FailFast),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.ReconnectBufSize(noReconnectBuffer),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPingsOut),
		nats.IgnoreAuthErrorAbort(),
		nats.DrainTimeout(drainTimeout),
	}
	opts = append(opts, o.loginOptions()...)
	if o.InboxPrefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(o.InboxPrefix))
	}
	if o.TLS != nil {
		opts = append(opts, nats.Secure(o.TLS))
	}
	if o.InProcess != nil {
		opts = append(opts, nats.InProcessServer(o.InProcess))
	}
	return opts
}

// TLSConfig is how the options verify servers, of HTTP too; nil leaves it to
// the system. Files are read each time.
func (o Options) TLSConfig() (*tls.Config, error) {
	o, err := o.withFiles()
	return o.TLS, err
}

func (o Options) loginOptions() []nats.Option {
	var opts []nats.Option
	if o.User != "" {
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if o.Token != "" {
		opts = append(opts, nats.Token(o.Token))
	}
	if o.credentials.Name != "" {
		opts = append(opts, o.credentials.option())
	}
	if o.CredsFile != "" {
		opts = append(opts, nats.UserCredentials(o.CredsFile))
	}
	return opts
}

// redacted is where the options lead, fit for logs and errors.
func redacted(o Options) string {
	if o.InProcess != nil {
		return "in-process server"
	}
	servers := strings.Split(o.URL, ",")
	for i, server := range servers {
		u, err := url.Parse(strings.TrimSpace(server))
		if err != nil {
			servers[i] = "(invalid URL)"
			continue
		}
		if u.User != nil {
			u.User = url.User("…")
		}
		servers[i] = u.String()
	}
	return strings.Join(servers, ",")
}
