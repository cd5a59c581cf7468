package atlas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/registry"
)

const (
	// batchLeast is the group from which on an atomic batch costs less than
	// its writes one by one: the server stages a batch in files of its own.
	batchLeast = 12
	// groupMost keeps a group below the server's limit of a batch, and its
	// commit short.
	groupMost = 500
)

// Headers of an atomic batch; nats.go has no names for them.
const (
	batchID       = "Nats-Batch-Id"
	batchSequence = "Nats-Batch-Sequence"
	batchCommit   = "Nats-Batch-Commit"
)

// A write is one change of one key that waits for its turn.
type write struct {
	msg  *nats.Msg
	last uint64
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
}

func newWriter(nc *nats.Conn, js jetstream.JetStream, log *slog.Logger) *writer {
	return &writer{nc: nc, js: js, log: log, in: make(chan *write, groupMost)}
}

// write waits for the outcome of a change whose compare-and-set names last.
// After ctx's end the outcome is unknown.
func (w *writer) write(ctx context.Context, m *nats.Msg, last uint64) (uint64, error) {
	one := &write{msg: m, last: last, done: make(chan written, 1)}
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
	for {
		group := w.gather()
		if len(group) > 0 {
			w.commit(ctx, group)
			continue
		}
		select {
		case one := <-w.in:
			w.held = append(w.held, one)
		case <-ctx.Done():
			return
		}
	}
}

// gather takes what is waiting, each key once.
func (w *writer) gather() []*write {
	waiting := w.held
	w.held = nil
	keys := map[string]bool{}
	var group []*write
	for len(group) < groupMost {
		one := w.next(&waiting)
		switch {
		case one == nil:
			return group
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
	if len(group) < batchLeast {
		w.singly(ctx, group)
		return
	}
	last, err := w.batch(ctx, group)
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

func finish(group []*write, end func(i int) written) {
	for i, one := range group {
		one.done <- end(i)
	}
}

// batch writes all of a group or nothing, and returns the sequence of the
// last.
func (w *writer) batch(ctx context.Context, group []*write) (uint64, error) {
	id, final := randomID(), len(group)-1
	for i, one := range group {
		m := batched(one, id, i)
		if i == final {
			break
		}
		if err := w.nc.PublishMsg(m); err != nil {
			return 0, err
		}
	}
	m := batched(group[final], id, final)
	m.Header.Set(batchCommit, "1")
	reply, err := w.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return 0, err
	}
	return parseBatchAck(reply.Data, len(group))
}

// batched leaves the write's own message as it is: it may yet go singly.
func batched(one *write, id string, i int) *nats.Msg {
	header := nats.Header{
		batchID:                             {id},
		batchSequence:                       {strconv.Itoa(i + 1)},
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(one.last, 10)},
	}
	for name, values := range one.msg.Header {
		header[name] = values
	}
	return &nats.Msg{Subject: one.msg.Subject, Header: header, Data: one.msg.Data}
}

func parseBatchAck(data []byte, size int) (uint64, error) {
	var ack struct {
		Sequence uint64              `json:"seq"`
		Count    int                 `json:"count"`
		Error    *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(data, &ack); err != nil {
		return 0, fmt.Errorf("read acknowledgement: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	if ack.Count != size {
		return 0, fmt.Errorf("%d of %d writes acknowledged", ack.Count, size)
	}
	return ack.Sequence, nil
}

// singly writes each by itself, all on their way at once.
func (w *writer) singly(ctx context.Context, group []*write) {
	acks := make([]jetstream.PubAckFuture, len(group))
	for i, one := range group {
		var err error
		acks[i], err = w.js.PublishMsgAsync(one.msg, jetstream.WithExpectLastSequencePerSubject(one.last))
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
		return written{err: ctx.Err()}
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
