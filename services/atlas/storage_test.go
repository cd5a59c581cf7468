package atlas

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestWritesThatFailAreToldOf(t *testing.T) {
	failed := context.DeadlineExceeded
	moved := &jetstream.APIError{ErrorCode: jetstream.JSErrCodeStreamWrongLastSequence}
	type write struct {
		at  time.Duration
		err error
	}
	for name, c := range map[string]struct {
		writes []write
		asked  time.Duration
		want   error
	}{
		"nothing was written":              {nil, time.Second, nil},
		"one failed":                       {[]write{{0, failed}}, 3 * time.Second, nil},
		"all fail for a while":             {[]write{{0, failed}, {2 * time.Second, failed}}, 3 * time.Second, failed},
		"one succeeds again":               {[]write{{0, failed}, {2 * time.Second, failed}, {3 * time.Second, nil}}, 3 * time.Second, nil},
		"somebody else was first":          {[]write{{0, failed}, {2 * time.Second, failed}, {3 * time.Second, moved}}, 3 * time.Second, nil},
		"long ago, and nobody tried since": {[]write{{0, failed}, {2 * time.Second, failed}}, 40 * time.Second, nil},
		"a second one long after":          {[]write{{0, failed}, {time.Hour, failed}}, time.Hour + time.Second, nil},
	} {
		var h writeHealth
		began := time.Now()
		for _, w := range c.writes {
			h.note(w.err, began.Add(w.at), slog.New(slog.DiscardHandler))
		}
		if got := h.fault(began.Add(c.asked)); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, expected %v", name, got, c.want)
		}
	}
}
