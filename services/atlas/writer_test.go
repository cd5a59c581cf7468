package atlas

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/provision"
	"fairlead.dev/registry"
)

// startStore is a bucket without a node.
func startStore(t *testing.T) *store {
	t.Helper()
	b := startBus(t, t.TempDir())
	js := b.streams(t)
	if err := provision.Ensure(t.Context(), js, provision.Options{Logger: quiet()}); err != nil {
		t.Fatal(err)
	}
	return &store{js: js, nc: b.atlas.NATS(), writer: newWriter(b.atlas.NATS(), js, quiet())}
}

// group makes one write for each key, all of them new to the bucket.
func group(size int) []*write {
	all := make([]*write, size)
	for i := range all {
		all[i] = writeOf(fmt.Sprintf("hosts.local.identity.host-%d", i), 0)
	}
	return all
}

func writeOf(key string, last uint64) *write {
	header := nats.Header{jetstream.ExpectedLastSubjSeqHeader: {fmt.Sprint(last)}}
	return &write{ctx: context.Background(), msg: &nats.Msg{Subject: bucketSubject + key, Header: header, Data: []byte(key)}, done: make(chan written, 1)}
}

func TestEveryWriteOfAGroupLearnsItsOwnSequence(t *testing.T) {
	for _, size := range []int{1, batchLeast - 1, batchLeast, batchMost} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := startStore(t)
			writes := group(size)
			s.writer.commit(t.Context(), writes)
			for _, one := range writes {
				end := <-one.done
				if end.err != nil {
					t.Fatal(end.err)
				}
				last, err := s.lastOf(t.Context(), string(one.msg.Data))
				if err != nil || last != end.seq {
					t.Fatalf("%s: told %d, stored as %d, %v", one.msg.Data, end.seq, last, err)
				}
			}
		})
	}
}

func TestOnlyTheGuiltyOneOfAGroupFails(t *testing.T) {
	s := startStore(t)
	writes := group(64)
	writes[30] = writeOf("hosts.local.identity.host-30", 7)
	s.writer.commit(t.Context(), writes)
	for i, one := range writes {
		if end := <-one.done; hasMoved(end.err) != (i == 30) {
			t.Errorf("%d: %+v", i, end)
		}
	}
}

func TestAGroupTakesEachKeyOnce(t *testing.T) {
	s := startStore(t)
	for range 2 {
		for _, one := range group(20) {
			s.writer.in <- one
		}
	}
	for _, want := range []int{20, 20, 0} {
		if got := len(s.writer.gather()); got != want {
			t.Errorf("a group of %d, want %d", got, want)
		}
	}
}

func TestAGroupHasABound(t *testing.T) {
	s := startStore(t)
	s.writer.held = group(batchMost + 5)
	for _, want := range []int{batchMost, 5, 0} {
		if got := len(s.writer.gather()); got != want {
			t.Errorf("a group of %d, want %d", got, want)
		}
	}
}

func TestOfTwoWritesOfOneKeyOneFindsThatItMoved(t *testing.T) {
	b := startBus(t, t.TempDir())
	n := startNode(t, b, Terms{})
	const writers = 100
	var mu sync.Mutex
	won, moved := 0, 0
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			_, err := n.store.put(t.Context(), fmt.Sprintf("hosts.local.identity.host-%d", i/2), []byte("{}"), 0, "")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, errMoved):
				moved++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won != writers/2 || moved != writers/2 {
		t.Errorf("%d won, %d found that the key moved", won, moved)
	}
}

func TestAWriteWithoutAnAnswerIsUnavailable(t *testing.T) {
	s := startStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.put(ctx, "hosts.local.identity.a", nil, 0, ""); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestABatchThatTheBucketDoesNotTakeIsWrittenSingly(t *testing.T) {
	s := startStore(t)
	stream, err := s.js.Stream(t.Context(), bucketStream)
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.AllowAtomicPublish = false
	if _, err := s.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	writes := group(32)
	s.writer.commit(t.Context(), writes)
	for _, one := range writes {
		if end := <-one.done; end.err != nil {
			t.Fatal(end.err)
		}
	}
}
