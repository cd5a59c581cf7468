//go:build !race

// The server keeps what it knows of its cluster without a lock, and the race
// detector tells of that whenever a request comes while it opens its store.

package embedded_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/provision"
)

// While a node reads its old copies from the disk the others write on, and
// only they know.
func TestANodeThatOpensItsStoreAgainDoesNotAnswerFromItsOldCopies(t *testing.T) {
	t.Parallel()
	options := threeNodes(t)
	var opening atomic.Pointer[func()]
	opened := make(chan struct{})
	nodes := startHeard(t, options, func(message string) {
		if !strings.HasPrefix(message, "Starting JetStream cluster") {
			return
		}
		if check := opening.Swap(nil); check != nil {
			(*check)()
			close(opened)
		}
	})
	old, others := asAtlas(t, nodes[0]), asAtlas(t, nodes[1])
	js, err := jetstream.New(others)
	if err != nil {
		t.Fatal(err)
	}
	if err := provision.Ensure(t.Context(), js, provision.Options{Replicas: 3, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	write(t, js, "old")
	check := func() {
		write(t, js, "new")
		for range 20 { // the first answer counts, and the leader's may be that
			if got := stored(t, old); !strings.Contains(got, `"bmV3"`) {
				t.Errorf("the bucket's leader alone should answer, with what is new, and the answer was %s", got)
				break
			}
		}
	}
	opening.Store(&check)
	if err := nodes[0].CloseStore(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-opened:
	case <-time.After(2 * patience):
		t.Fatal("the store is not opened again")
	}
	untilTaken(t, func(context.Context) error { return nodes[0].StoreError() })
}

func write(t *testing.T, js jetstream.JetStream, value string) {
	untilTaken(t, func(ctx context.Context) error {
		_, err := js.Publish(ctx, "$KV.atlas.hosts.local.identity.a", []byte(value))
		return err
	})
}

// stored is what this node's clients are told that the bucket holds.
func stored(t *testing.T, nc *nats.Conn) string {
	question := []byte(`{"last_by_subj":"$KV.atlas.hosts.local.identity.a"}`)
	reply, err := nc.Request("$JS.API.STREAM.MSG.GET.KV_atlas", question, patience)
	if err != nil {
		return err.Error()
	}
	return string(reply.Data)
}
