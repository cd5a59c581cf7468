package atlasclient

import (
	"cmp"
	"log/slog"
	"sync/atomic"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
)

// Options of a client. The zero value is useful.
type Options struct {
	// Via names a go-between that registers for others, such as "bridge". The
	// registry then draws no conclusions from this connection's end.
	Via    string
	Logger *slog.Logger // nil: slog.Default()
}

// A Client implements [registry.Atlas], [registry.Beater] and
// [registry.Source] over a connection to the bus. It does not own the
// connection. Its methods may be called concurrently.
type Client struct {
	conn    *bus.Conn
	via     string
	log     *slog.Logger
	ignored atomic.Uint64
	pulse   pulse
	ears    ears
}

var (
	_ registry.Atlas  = (*Client)(nil)
	_ registry.Beater = (*Client)(nil)
	_ registry.Source = (*Client)(nil)

	_ registry.Explainer = (*Client)(nil)
)

// New returns a client.
func New(conn *bus.Conn, opts Options) *Client {
	c := &Client{conn: conn, via: opts.Via, log: cmp.Or(opts.Logger, slog.Default()).With("component", "atlasclient")}
	c.pulse.client = c
	return c
}

// Ignored returns how many messages were heard that were none of the
// registry's: on another subject than they speak of, or not to be decoded.
func (c *Client) Ignored() uint64 { return c.ignored.Load() }
