package natskv

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"

	"fairlead.dev/bench/internal/systems"
)

// A republishing connection's listeners fill their table by a watch, and then
// live on what the bucket republishes.
type republishing struct{ *conn }

type subscriber struct {
	*systems.Table
	sub *nats.Subscription
}

// Follow implements [systems.Conn].
func (c republishing) Follow(ctx context.Context, service string, heard systems.Heard) (systems.Listener, error) {
	filled, err := c.conn.Follow(ctx, service, heard)
	if err != nil {
		return nil, err
	}
	filled.Close()
	s := &subscriber{Table: filled.(*listener).Table}
	s.sub, err = c.nc.Subscribe(republished+"$KV."+bucket+"."+pattern(service), s.apply)
	if err != nil {
		return nil, err
	}
	return s, c.nc.FlushWithContext(ctx)
}

func (s *subscriber) apply(msg *nats.Msg) {
	k, ok := keyOf(strings.TrimPrefix(msg.Subject, republished+"$KV."+bucket+"."))
	switch {
	case !ok:
	case len(msg.Data) == 0:
		s.Remove(k)
	default:
		// Nobody but this program writes, and it writes JSON.
		_ = s.Put(k, msg.Data)
	}
}

// Close implements [systems.Listener].
func (s *subscriber) Close() { _ = s.sub.Unsubscribe() }
