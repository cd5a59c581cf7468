package provision_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/provision"
)

// A stream that is between two leaders answers neither questions nor writes;
// who starts just then waits for the next one.
func TestPersistWaitsForAnswersOfAStream(t *testing.T) {
	for _, answer := range []error{
		jetstream.ErrNoStreamResponse, nats.ErrNoResponders, nats.ErrTimeout, context.DeadlineExceeded,
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			err := provision.Persist(t.Context(), quiet, func(context.Context) error {
				if tries++; tries < 3 {
					return fmt.Errorf("write epoch: %w", answer)
				}
				return nil
			})
			if err != nil || tries != 3 {
				t.Errorf("%v: %d tries, then %v", answer, tries, err)
			}
		})
	}
}

func TestPersistEndsAtARefusal(t *testing.T) {
	refusal := errors.New("no")
	tries := 0
	err := provision.Persist(t.Context(), quiet, func(context.Context) error { tries++; return refusal })
	if !errors.Is(err, refusal) || tries != 1 {
		t.Errorf("%d tries, then %v", tries, err)
	}
}

func TestPersistSaysOnceWhatItWaitsForUntilItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := provision.Persist(ctx, slog.New(slog.NewTextHandler(&log, nil)), func(context.Context) error {
			return jetstream.ErrNoStreamResponse
		})
		if !errors.Is(err, jetstream.ErrNoStreamResponse) {
			t.Error(err)
		}
		if said := strings.Count(log.String(), "waiting for the bus"); said != 1 {
			t.Errorf("it said so %d times: %s", said, log.String())
		}
	})
}
