package embedded_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead.dev/bus/embedded"
)

// A heard log calls hear for every message while it is said.
type heard struct {
	slog.Handler
	hear func(message string)
}

func (h heard) Enabled(context.Context, slog.Level) bool      { return true }
func (h heard) Handle(_ context.Context, r slog.Record) error { h.hear(r.Message); return nil }
func (h heard) WithAttrs([]slog.Attr) slog.Handler            { return h }

// startHeard is startNodes with the first one's log heard.
func startHeard(t *testing.T, options []embedded.Options, hear func(string)) []*embedded.Server {
	t.Helper()
	options[0].Logger = slog.New(heard{hear: hear})
	first, err := embedded.Start(t.Context(), options[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, first) })
	return append([]*embedded.Server{first}, startNodes(t, options[1:])...)
}

// A store that cannot be opened is tried again, and the server lives on.
func TestANodeWhoseStoreCannotBeOpenedTriesOn(t *testing.T) {
	t.Parallel()
	options := threeNodes(t)
	said := make(chan struct{}, 16)
	nodes := startHeard(t, options, func(message string) {
		if strings.HasPrefix(message, "the store was not opened again") {
			said <- struct{}{}
		}
	})
	// The server keeps its cluster's state in a file of that name.
	meta := filepath.Join(options[0].DataDir, "jetstream", "jetstream", "SYS", "_js_", "_meta_")
	if err := nodes[0].CloseStore(); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(os.Rename(meta, meta+".away"), os.WriteFile(meta, nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-said:
	case <-time.After(2 * patience):
		t.Fatal("it did not say that the store was not opened")
	}
	if err := errors.Join(os.Remove(meta), os.Rename(meta+".away", meta)); err != nil {
		t.Fatal(err)
	}
	untilTaken(t, func(context.Context) error { return nodes[0].StoreError() })
}
