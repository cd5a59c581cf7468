package provision

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// Servers that have no leader yet answer nothing at all, so asking is
	// given less time than making, which waits for disks.
	askTimeout = time.Second
	tryTimeout = 5 * time.Second
	pause      = 200 * time.Millisecond
	// What takes no longer than this is an ordinary start.
	patience   = 2 * time.Second
	remindWait = 15 * time.Second
)

// Codes of JetStream that nats.go has no names for.
const (
	codeNoPeers = 10005 // too few servers to place a stream's replicas on
	codeOffline = 10118 // the server that has the only copy is away
)

// Persist tries until it succeeds, is refused for good, or ctx ends. What it
// waits for is that servers which come up, or have lost their leader, can
// answer; after a moment it logs that.
func Persist(ctx context.Context, log *slog.Logger, try func(context.Context) error) error {
	remind := time.Now().Add(patience)
	for {
		err := try(ctx)
		if err == nil || !notYet(err) || ctx.Err() != nil {
			return err
		}
		if time.Now().After(remind) {
			remind = time.Now().Add(remindWait)
			log.WarnContext(ctx, "waiting for the bus: too few servers are there, or they have no leader yet", "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

func bounded(try func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, tryTimeout)
		defer cancel()
		return try(ctx)
	}
}

// notYet tells the answers of a cluster that is still coming up from refusals.
func notYet(err error) bool {
	var refused *jetstream.APIError
	if errors.As(err, &refused) {
		code := int(refused.ErrorCode)
		return refused.Code == 503 && !neverEnabled(refused) || code == codeNoPeers || code == codeOffline
	}
	// Where nobody listens, as of a stream that has no leader, jetstream has an
	// error of its own for what is published.
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionReconnecting)
}

func neverEnabled(e *jetstream.APIError) bool {
	return e.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabled || e.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabledForAccount
}

// ensureHeartbeats makes the bucket of heartbeats anew where its only copy is
// on a server that is away. It is for people to look at, so nobody waits for
// that server.
func ensureHeartbeats(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, opts Options) error {
	err := ensure(ctx, js, want, opts)
	if !lost(err) {
		return err
	}
	opts.Logger.InfoContext(ctx, "made anew: its server is away", "component", "provision", "stream", want.Name)
	// The answer is late when a server is away; what counts is the next try.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTimeout)
	defer cancel()
	if err := js.DeleteStream(bounded, want.Name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	return create(bounded, js, want, opts)
}

// lost tells whether nobody who has the stream answered. That it has no
// responders, or none in time, can mean the whole bus as well: then what
// follows fails in the same way, and is tried again.
func lost(err error) bool {
	var refused *jetstream.APIError
	if errors.As(err, &refused) {
		return int(refused.ErrorCode) == codeOffline
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders)
}
