package atlas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// replayStall is how long a replay waits for its next entry before it gives
	// up and is begun anew: the server that it reads from may have gone away.
	replayStall = 2 * time.Second
	// lastStall is that of one of last values. The server's list of them stalls
	// at a message that has been discarded meanwhile, five writes of a key later.
	lastStall = time.Second
)

// recall reads what the bucket says now: the last value of each key, and what
// came before only where such a value cannot be read, because the good one is
// there. Of an id that is gone it reads a deletion and no value at all.
func (s *store) recall(ctx context.Context) (*model, position, error) {
	m, pos, err := s.recallLast(ctx)
	if errors.Is(err, nats.ErrTimeout) || err == nil && len(m.quarantined) > 0 {
		m = newReplay()
		pos, err = s.replay(ctx, everything, func(e entry) { m.apply(e) })
	}
	m.finishAt(pos)
	return m, pos, err
}

// recallLast reads services with their history all the same. They are few, and
// whoever changes what is known of one may name the revision that he has seen:
// that of the last change of what it says, which need not be the last message.
func (s *store) recallLast(ctx context.Context) (*model, position, error) {
	m, described := newReplay(), false
	m.loading.lastOnly = true
	pos, err := s.replayLast(ctx, func(e entry) {
		if strings.HasPrefix(e.key, servicesPrefix) {
			described, m.seq = true, e.seq
			return
		}
		m.apply(e)
	})
	if err != nil || !described {
		return m, pos, err
	}
	upTo := m.seq
	_, err = s.replay(ctx, servicesPrefix+">", func(e entry) {
		if e.seq <= upTo {
			m.apply(e)
		}
	})
	return m, pos, err
}

const everything = ">"

// replay calls each for everything the bucket holds of some keys, of which there
// are some, history and deletions too, in order, up to where the bucket stood
// when it was asked.
func (s *store) replay(ctx context.Context, keys string, each func(entry)) (position, error) {
	pos, err := s.position(ctx)
	if err != nil || pos.empty {
		return pos, err
	}
	r, err := s.read(ctx, keys, jetstream.DeliverAllPolicy)
	if err != nil {
		return pos, err
	}
	defer r.close()
	return pos, s.readUpTo(r, pos.last, each)
}

// replayLast calls each for the last message of each key, in order, and for all
// that is stored meanwhile, up to where the bucket stands once that has begun:
// read up to an earlier place, it would lack the keys that have changed between
// that and the beginning.
func (s *store) replayLast(ctx context.Context, each func(entry)) (position, error) {
	pos, err := s.position(ctx)
	if err != nil || pos.empty {
		return pos, err
	}
	r, err := s.read(ctx, everything, jetstream.DeliverLastPerSubjectPolicy)
	if err != nil {
		return pos, err
	}
	defer r.close()
	r.patience = lastStall
	first, err := r.next()
	if err != nil {
		return pos, err
	}
	if pos, err = s.position(ctx); err != nil {
		return pos, err
	}
	r.first = &first
	return pos, s.readUpTo(r, pos.last, each)
}

// readUpTo calls each for what a reader reads, up to a sequence.
func (s *store) readUpTo(r *reader, last uint64, each func(entry)) error {
	for seen := uint64(0); ; {
		e, err := r.next()
		if err != nil {
			return err
		}
		// Where last messages end and the others begin, some come twice.
		if e.seq > seen {
			seen = e.seq
			each(e.entry)
		}
		if ended, err := s.ended(r, e, last); ended || err != nil {
			return err
		}
	}
}

// ended tells whether a reader has read all. Nothing pending need not mean that:
// of last messages the server also counts off what is discarded and would not
// have been sent. And the bucket's last message may be gone.
func (s *store) ended(r *reader, e pendingEntry, last uint64) (bool, error) {
	if e.seq >= last || e.pending > 0 {
		return e.seq >= last, nil
	}
	question, _ := json.Marshal(map[string]any{"seq": e.seq + 1, "next_by_subj": bucketSubject + r.keys})
	m, err := getMessage(r.ctx, s.nc, bucketStream, question)
	if err != nil {
		return false, fmt.Errorf("read the bucket: %w", err)
	}
	return m.Sequence == 0, nil
}

// A reader reads some keys of the bucket in order.
type reader struct {
	ctx      context.Context
	keys     string
	messages jetstream.MessagesContext
	patience time.Duration
	stop     func() bool
	// first has been read ahead, if it is set.
	first *pendingEntry
}

// A pendingEntry is one that more follow, by the server's count.
type pendingEntry struct {
	entry
	pending uint64
}

func (s *store) read(ctx context.Context, keys string, policy jetstream.DeliverPolicy) (*reader, error) {
	consumer, err := s.js.OrderedConsumer(ctx, bucketStream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{bucketSubject + keys}, DeliverPolicy: policy,
	})
	if err != nil {
		return nil, fmt.Errorf("read the bucket: %w", err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, fmt.Errorf("read the bucket: %w", err)
	}
	stop := context.AfterFunc(ctx, messages.Stop)
	return &reader{ctx: ctx, keys: keys, messages: messages, patience: replayStall, stop: stop}, nil
}

func (r *reader) close() {
	r.stop()
	r.messages.Stop()
}

func (r *reader) next() (pendingEntry, error) {
	if e := r.first; e != nil {
		r.first = nil
		return *e, nil
	}
	m, err := r.messages.Next(jetstream.NextMaxWait(r.patience))
	if err != nil {
		return pendingEntry{}, fmt.Errorf("read the bucket: %w", errors.Join(r.ctx.Err(), err))
	}
	meta, err := m.Metadata()
	if err != nil {
		return pendingEntry{}, fmt.Errorf("read the bucket: %w", err)
	}
	key := strings.TrimPrefix(m.Subject(), bucketSubject)
	return pendingEntry{newEntry(key, m.Headers(), m.Data(), meta.Sequence.Stream, meta.Timestamp), meta.NumPending}, nil
}
