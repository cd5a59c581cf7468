package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// ErrUnavailable says that the bus, or whoever answers on it, is away: no
// connection, or nobody listening. Worth trying again later.
var ErrUnavailable = errors.New("bus unavailable")

// ErrForbidden says that this user may not send what it tried to send. Trying
// again does not help.
var ErrForbidden = errors.New("not permitted")

// ErrNobodyListens says that the addresses were reached, and nobody listens
// there. Such errors wrap [ErrUnavailable] too.
var ErrNobodyListens = nats.ErrNoServers

// drainTimeout bounds how long Close lets handlers finish what was delivered.
const drainTimeout = 3 * time.Second

// Conn is a connection to the bus. Its methods may be called concurrently.
type Conn struct {
	nc  *nats.Conn
	url string
	log *slog.Logger

	connected    listeners[struct{}]
	disconnected listeners[error]
	forbidden    listeners[error]
	slow         slowConsumers

	// lost is for the handlers alone, which never run at the same time.
	lost    bool
	refusal string // the last

	closing sync.Once
	closed  chan struct{}
}

// Connect returns a connection, which need not be up yet: see
// [Conn.WaitConnected]. It fails only on options that can never work, or with
// FailFast if the bus is away. Canceling ctx later does not close the
// connection; [Conn.Close] does.
func Connect(ctx context.Context, opts Options) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("connect to bus: %w", err)
	}
	opts, err := opts.withDefaults().withFiles()
	if err != nil {
		return nil, fmt.Errorf("connect to bus: %w", err)
	}
	c := &Conn{url: redacted(opts), log: opts.Logger, closed: make(chan struct{})}
	nc, err := nats.Connect(opts.URL, append(opts.natsOptions(), c.handlers()...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to bus at %s: %w", c.url, unavailable(err))
	}
	c.nc = nc
	return c, nil
}

// handlers run one after the other in a goroutine of the connection's own.
// They may run before Connect returned, so none of them touches c.nc.
func (c *Conn) handlers() []nats.Option {
	return []nats.Option{
		nats.ConnectHandler(func(*nats.Conn) { c.onConnected() }),
		nats.ReconnectHandler(func(*nats.Conn) { c.onConnected() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.onDisconnected(err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.onRefused(err) }),
		nats.ClosedHandler(func(*nats.Conn) { close(c.closed) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) { c.onError(sub, err) }),
	}
}

func (c *Conn) onConnected() {
	level, message := slog.LevelDebug, "bus connected"
	if c.lost {
		level, message = slog.LevelInfo, "bus connected again"
	}
	c.lost = false
	c.log.Log(context.Background(), level, message, "url", c.url)
	c.connected.tell(struct{}{})
}

// onRefused tells once of each cause that time alone does not mend: an
// authority that is unknown, credentials that are missing or wrong.
func (c *Conn) onRefused(err error) {
	if err == nil || errors.Is(err, nats.ErrNoServers) || err.Error() == c.refusal {
		return
	}
	c.refusal = err.Error()
	if isAway(err) {
		return
	}
	c.log.Warn("bus refuses the connection", "url", c.url, "error", err)
}

// isAway tells whether an error is of the network and not of who is there.
func isAway(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !errors.As(err, new(*tls.CertificateVerificationError)) || errors.Is(err, io.EOF)
}

func (c *Conn) onDisconnected(err error) {
	if err != nil {
		c.lost = true
		c.log.Warn("bus connection lost", "url", c.url, "error", err)
	}
	c.disconnected.tell(err)
}

func (c *Conn) onError(sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) && sub != nil && c.slow.tell(sub) {
		return
	}
	if sub == nil && errors.Is(err, nats.ErrPermissionViolation) {
		c.forbidden.tell(err)
	}
	if sub != nil {
		c.log.Warn("bus error", "subject", sub.Subject, "error", err)
		return
	}
	c.log.Warn("bus error", "url", c.url, "error", err)
}

// NATS is the connection underneath, for what this package does not wrap.
// Closing it is left to [Conn.Close].
func (c *Conn) NATS() *nats.Conn { return c.nc }

// URL is where the connection leads, without what is secret in it.
func (c *Conn) URL() string { return c.url }

// Connected tells whether the bus can be reached now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// OnConnect has fn called after each connection made from now on, the first
// included if it is still to come: the moment to ask for what was missed.
// fn must not block; remove takes it off again.
func (c *Conn) OnConnect(fn func()) (remove func()) {
	return c.connected.add(func(struct{}) { fn() })
}

// OnDisconnect has fn called after each loss of the connection, with its
// cause if one is known. fn must not block; remove takes it off again.
func (c *Conn) OnDisconnect(fn func(error)) (remove func()) {
	return c.disconnected.add(fn)
}

// OnSlowConsumer has fn called when sub lost messages because its handler was
// too slow. fn must not block; remove takes it off again.
func (c *Conn) OnSlowConsumer(sub *nats.Subscription, fn func()) (remove func()) {
	return c.slow.add(sub, fn)
}

// WaitConnected returns nil as soon as there is a connection, or an error that
// wraps [ErrUnavailable] and says why there is none when ctx is done.
func (c *Conn) WaitConnected(ctx context.Context) error {
	up := make(chan struct{}, 1)
	remove := c.OnConnect(func() {
		select {
		case up <- struct{}{}:
		default:
		}
	})
	defer remove()
	if c.Connected() {
		return nil
	}
	select {
	case <-up:
		return nil
	case <-c.closed:
		return fmt.Errorf("connect to bus at %s: %w", c.url, nats.ErrConnectionClosed)
	case <-ctx.Done():
		return fmt.Errorf("connect to bus at %s: %w: %w", c.url, unavailable(c.nc.LastError()), ctx.Err())
	}
}

// Close lets handlers finish what has been delivered, sends what has been
// published, and closes the connection, all within a few seconds. Later calls
// wait for the same end.
func (c *Conn) Close() {
	c.closing.Do(func() {
		if err := c.nc.Drain(); err != nil {
			c.nc.Close()
		}
	})
	if c.closedWithin(drainTimeout + time.Second) {
		return
	}
	c.nc.Close()
	if !c.closedWithin(time.Second) {
		c.log.Warn("bus connection closed while a handler was still busy", "url", c.url)
	}
}

func (c *Conn) closedWithin(bound time.Duration) bool {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-c.closed:
		return true
	case <-timer.C:
		return false
	}
}

// unavailable marks the errors that mean "not now" rather than "not like this".
func unavailable(err error) error {
	if err == nil {
		return ErrUnavailable
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
