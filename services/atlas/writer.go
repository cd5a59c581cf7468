package atlas

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/registry"
)

// gatherMost is how long a write waits for those of its group that are still to
// come, about as long as the server takes for a batch by itself.
const gatherMost = 2 * time.Millisecond

// A write is one change of one key that waits for its turn.
type write struct {
	ctx  context.Context
	msg  *nats.Msg
	done chan written
}

// written is how a write ended.
type written struct {
	seq uint64
	err error
}

// A writer groups the writes of this node. While one group is on its way to
// the disk the next one gathers, so many writes at once share its syncs and a
// single one waits for nobody. One goroutine, run, does all of it.
type writer struct {
	nc  *nats.Conn
	js  jetstream.JetStream
	log *slog.Logger
	in  chan *write
	// held are writes of keys that the group under way writes too: a batch
	// takes one change of a key.
	held []*write
	// gathered is the size of the last group.
	gathered int
	// lost strikes when acknowledgements may have been.
	lost interruption
}

func newWriter(nc *nats.Conn, js jetstream.JetStream, log *slog.Logger) *writer {
	return &writer{nc: nc, js: js, log: log, in: make(chan *write, batchMost)}
}

// write waits for the outcome of a change. After ctx's end it is unknown.
func (w *writer) write(ctx context.Context, m *nats.Msg) (uint64, error) {
	one := &write{ctx: ctx, msg: m, done: make(chan written, 1)}
	select {
	case w.in <- one:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case end := <-one.done:
		return end.seq, end.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// run commits groups until ctx ends.
func (w *writer) run(ctx context.Context) {
	for w.await(ctx) {
		if group := w.gather(); len(group) > 0 {
			w.gathered = len(group)
			w.commit(ctx, group)
		}
	}
}

// await waits for a write. After a group it waits a moment for another as
// large: those who have just been answered mostly come again, and a batch costs
// nearly the same however small it is. It reports false when ctx ends.
func (w *writer) await(ctx context.Context) bool {
	if len(w.held) == 0 {
		select {
		case one := <-w.in:
			w.held = append(w.held, one)
		case <-ctx.Done():
			return false
		}
	}
	if w.gathered < batchLeast {
		return true
	}
	moment := time.NewTimer(gatherMost)
	defer moment.Stop()
	for len(w.held) < w.gathered {
		select {
		case one := <-w.in:
			w.held = append(w.held, one)
		case <-moment.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// gather takes what is waiting, each key once.
func (w *writer) gather() []*write {
	waiting := w.held
	w.held = nil
	keys := map[string]bool{}
	var group []*write
	for len(group) < batchMost {
		one := w.next(&waiting)
		switch {
		case one == nil:
			return group
		case one.ctx.Err() != nil:
			// Nobody waits for it any more, and it may be long out of date.
			finish([]*write{one}, func(int) written { return written{err: one.ctx.Err()} })
		case keys[one.msg.Subject]:
			w.held = append(w.held, one)
		default:
			keys[one.msg.Subject] = true
			group = append(group, one)
		}
	}
	w.held = append(w.held, waiting...)
	return group
}

func (w *writer) next(waiting *[]*write) *write {
	if list := *waiting; len(list) > 0 {
		*waiting = list[1:]
		return list[0]
	}
	select {
	case one := <-w.in:
		return one
	default:
		return nil
	}
}

// commit writes a group and tells everybody. A batch that was refused has
// changed nothing, and does not say whose fault it was: its writes go singly,
// so that only the guilty one fails.
func (w *writer) commit(ctx context.Context, group []*write) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	ctx, release := w.lost.bound(ctx)
	defer release()
	if len(group) < batchLeast {
		w.singly(ctx, group)
		return
	}
	last, err := storeTogether(ctx, w.nc, messagesOf(group))
	var refused *jetstream.APIError
	switch {
	case errors.As(err, &refused):
		w.log.Debug("batch refused, writing singly", "writes", len(group), "error", err)
		w.singly(ctx, group)
	case err != nil:
		finish(group, func(int) written { return written{err: err} })
	default:
		first := last - uint64(len(group)) + 1
		finish(group, func(i int) written { return written{seq: first + uint64(i)} })
	}
}

func messagesOf(group []*write) []*nats.Msg {
	messages := make([]*nats.Msg, len(group))
	for i, one := range group {
		messages[i] = one.msg
	}
	return messages
}

func finish(group []*write, end func(i int) written) {
	for i, one := range group {
		one.done <- end(i)
	}
}

// singly writes each by itself, all on their way at once.
func (w *writer) singly(ctx context.Context, group []*write) {
	acks := make([]jetstream.PubAckFuture, len(group))
	for i, one := range group {
		var err error
		acks[i], err = w.js.PublishMsgAsync(one.msg)
		if err != nil {
			one.done <- written{err: err}
		}
	}
	for i, one := range group {
		if acks[i] != nil {
			one.done <- outcomeOf(ctx, acks[i])
		}
	}
}

func outcomeOf(ctx context.Context, ack jetstream.PubAckFuture) written {
	select {
	case a := <-ack.Ok():
		return written{seq: a.Sequence}
	case err := <-ack.Err():
		return written{err: err}
	case <-ctx.Done():
		return written{err: context.Cause(ctx)}
	}
}

// asWriteError gives what the bucket said the registry's words.
func asWriteError(m *nats.Msg, err error) error {
	if hasMoved(err) {
		return errMoved
	}
	return fmt.Errorf("write %s: %w: %w", strings.TrimPrefix(m.Subject, bucketSubject), registry.ErrUnavailable, err)
}

// hasMoved tells whether a compare-and-set failed. A replicated stream says it
// in another way than one on a single server.
func hasMoved(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
