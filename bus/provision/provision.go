// Package provision makes the streams and buckets of Fairlead, and puts their
// configuration right where it drifted.
//
//	js, err := jetstream.New(conn.NATS())
//	err = provision.Ensure(ctx, js, provision.Options{Replicas: 3})
//
// It needs the credentials of account ATLAS, and works the same on the
// embedded server and on one of your own. What is stored is never touched:
// where a difference cannot be corrected in place, Ensure says so and stops.
package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"
)

// Options of [Ensure]. The zero value is right for one server.
type Options struct {
	// Replicas of everything but heartbeats. 0 makes one, and leaves what
	// exists as it is.
	Replicas int

	// EventsMaxBytes caps the stream of events; the oldest go first.
	// Default 256 MiB.
	EventsMaxBytes int64

	Logger *slog.Logger // nil: slog.Default()
}

// ErrImmutable says that a stream differs in what cannot be changed while it
// exists. Move its data and delete it, or use another server.
var ErrImmutable = errors.New("cannot be changed in place")

// Ensure makes what is missing and corrects what differs, logging each
// correction. It may be called again, and by several nodes at a time. While
// the servers cannot decide yet, because too few of them are there, it logs
// what it waits for and tries again until ctx ends.
func Ensure(ctx context.Context, js jetstream.JetStream, opts Options) error {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	for _, want := range streams(opts) {
		try := func(ctx context.Context) error { return ensureOne(ctx, js, want, opts) }
		if err := Persist(ctx, opts.Logger.With("component", "provision", "stream", want.Name), bounded(try)); err != nil {
			return fmt.Errorf("provision %s: %w", want.Name, err)
		}
	}
	return nil
}

// Mend does what [Ensure] does, once and for a bus that was right before. It
// leaves alone that the registry's bucket is missing: that has to be filled
// again, too, by whoever remembers what was in it.
func Mend(ctx context.Context, js jetstream.JetStream, opts Options) error {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	for _, want := range streams(opts) {
		err := mend(ctx, js, want, opts)
		if err != nil {
			return fmt.Errorf("mend %s: %w", want.Name, err)
		}
	}
	return nil
}

func mend(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, opts Options) error {
	if want.Name != registryStream {
		return ensureOne(ctx, js, want, opts)
	}
	have, err := configuration(ctx, js, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return correct(ctx, js, have, want, opts)
}

func ensureOne(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, opts Options) error {
	if want.Name == heartbeatsStream {
		return ensureHeartbeats(ctx, js, want, opts)
	}
	return ensure(ctx, js, want, opts)
}

func ensure(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, opts Options) error {
	have, err := configuration(ctx, js, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return create(ctx, js, want, opts)
	}
	if err != nil {
		return err
	}
	return correct(ctx, js, have, want, opts)
}

func configuration(ctx context.Context, js jetstream.JetStream, name string) (jetstream.StreamConfig, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return jetstream.StreamConfig{}, err
	}
	return stream.CachedInfo().Config, nil
}

// create falls back to a comparison when another node was quicker.
func create(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, opts Options) error {
	_, err := js.CreateStream(ctx, want)
	if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return err
	}
	have, err := configuration(ctx, js, want.Name)
	if err != nil {
		return err
	}
	return correct(ctx, js, have, want, opts)
}

// correct updates the stream itself rather than the bucket on it: the bucket's
// update would silently reset every setting that buckets do not know.
func correct(ctx context.Context, js jetstream.JetStream, have, want jetstream.StreamConfig, opts Options) error {
	want = adopt(have, want, opts.Replicas == 0)
	drifts, err := drift(have, want)
	if err != nil || len(drifts) == 0 {
		return err
	}
	if have.Storage != want.Storage || have.Retention != want.Retention {
		return fmt.Errorf("%s: %w", drifts, ErrImmutable)
	}
	if _, err := js.UpdateStream(ctx, want); err != nil {
		return fmt.Errorf("correct %s: %w", drifts, err)
	}
	opts.Logger.WarnContext(ctx, "configuration corrected", "component", "provision",
		"stream", want.Name, "changes", drifts.String())
	return nil
}
