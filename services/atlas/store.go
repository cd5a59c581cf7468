package atlas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/provision"
)

const (
	bucketSubject = "$KV." + provision.RegistryBucket + "."
	bucketStream  = "KV_" + provision.RegistryBucket
	// causeHeader carries why Atlas wrote an entry; deletions have no body
	// that could.
	causeHeader = "Fairlead-Cause"
	kvOperation = "KV-Operation"
)

// errMoved says that a key has changed since the revision that a write was
// decided on. Look again, and decide again.
var errMoved = errors.New("the key has changed meanwhile")

// A store reads and writes the bucket. It may be used concurrently.
type store struct {
	js     jetstream.JetStream
	nc     *nats.Conn
	writer *writer
	health writeHealth
}

// put writes a value if the key's last message is still last, and returns the
// new sequence. Zero stands for a key that never had one.
func (s *store) put(ctx context.Context, key string, value []byte, last uint64, cause string) (uint64, error) {
	return s.write(ctx, &nats.Msg{Subject: bucketSubject + key, Data: value}, last, cause)
}

// delete marks a key deleted, on the same condition.
func (s *store) delete(ctx context.Context, key string, last uint64, cause string) (uint64, error) {
	m := &nats.Msg{Subject: bucketSubject + key, Header: nats.Header{kvOperation: {"DEL"}}}
	return s.write(ctx, m, last, cause)
}

// set puts a value or, if it is nil, deletes the key, on the same condition.
func (s *store) set(ctx context.Context, key string, value []byte, last uint64, cause string) (uint64, error) {
	if value == nil {
		return s.delete(ctx, key, last, cause)
	}
	return s.put(ctx, key, value, last, cause)
}

func (s *store) write(ctx context.Context, m *nats.Msg, last uint64, cause string) (uint64, error) {
	if m.Header == nil {
		m.Header = nats.Header{}
	}
	if cause != "" {
		m.Header.Set(causeHeader, cause)
	}
	expect(m.Header, last)
	seq, err := s.writer.write(ctx, m)
	s.health.note(err, time.Now(), s.writer.log)
	if err != nil {
		return 0, asWriteError(m, err)
	}
	return seq, nil
}

// lastOf returns the sequence of a key's last message, zero if it has none.
func (s *store) lastOf(ctx context.Context, key string) (uint64, error) {
	m, err := lastMessage(ctx, s.nc, bucketStream, bucketSubject+key)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", key, err)
	}
	return m.Sequence, nil
}

// A storedMessage is what a stream holds of one. The zero value is none.
type storedMessage struct {
	Sequence uint64 `json:"seq"`
	Header   []byte `json:"hdrs"`
	Data     []byte `json:"data"`
}

// gone tells whether a key was never set, or taken away. An empty value is one
// too.
func (m storedMessage) gone() bool {
	if m.Sequence == 0 {
		return true
	}
	header, err := nats.DecodeHeadersMsg(m.Header)
	return err == nil && deletes(header)
}

// lastMessage asks a stream's leader for the last message of a subject: any
// replica would answer a direct read, and one that lags would have a decision
// taken anew on what has just been refused.
func lastMessage(ctx context.Context, nc *nats.Conn, stream, subject string) (storedMessage, error) {
	// A leader that dies with the question does not answer it.
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	question, _ := json.Marshal(map[string]string{"last_by_subj": subject})
	return getMessage(ctx, nc, stream, question)
}

func getMessage(ctx context.Context, nc *nats.Conn, stream string, question []byte) (storedMessage, error) {
	m, err := askLeader(ctx, nc, "$JS.API.STREAM.MSG.GET."+stream, question)
	if err != nil {
		return storedMessage{}, err
	}
	var answer struct {
		Message storedMessage       `json:"message"`
		Error   *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return storedMessage{}, err
	}
	if answer.Error != nil && answer.Error.ErrorCode != jetstream.JSErrCodeMessageNotFound {
		return storedMessage{}, answer.Error
	}
	return answer.Message, nil
}

// leaderAnswers is how soon a stream's leader answers, if there is one.
const leaderAnswers = time.Second

// askLeader asks again and again until ctx ends: while a stream has no leader,
// as it has none when it is new or has just lost one, nobody answers at all.
func askLeader(ctx context.Context, nc *nats.Conn, subject string, question []byte) (*nats.Msg, error) {
	for {
		try, cancel := context.WithTimeout(ctx, leaderAnswers)
		m, err := nc.RequestWithContext(try, subject, question)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return m, err
		}
	}
}

// A position is where the bucket's stream stands, and which life of it.
type position struct {
	last    uint64
	created time.Time
	empty   bool
	// unfinished tells that it is not the bucket this node knows, and has no id.
	unfinished bool
	sole       bool // there is one copy of it
}

func (s *store) position(ctx context.Context) (position, error) {
	stream, err := s.js.Stream(ctx, bucketStream)
	if err != nil {
		return position{}, fmt.Errorf("open the bucket: %w", err)
	}
	info := stream.CachedInfo()
	if !hasQuorum(info.Cluster) {
		return position{}, errNoQuorum
	}
	return position{
		last: info.State.LastSeq, created: info.Created, empty: info.State.Msgs == 0, sole: info.Config.Replicas <= 1,
	}, nil
}

// peerSilence is for how long a leader may not have heard from another copy,
// which tells it of itself every second, until that counts as away.
const peerSilence = 3 * time.Second

var errNoQuorum = errors.New("the bucket's leader does not hear enough of the other copies to know the last word")

// hasQuorum tells whether a stream's leader hears a majority of its copies, by
// its own word. One that is cut off answers for ten seconds more.
func hasQuorum(c *jetstream.ClusterInfo) bool {
	if c == nil {
		return true
	}
	heard := 1
	for _, peer := range c.Replicas {
		if !peer.Offline && peer.Active < peerSilence {
			heard++
		}
	}
	return heard*2 > len(c.Replicas)+1
}

// follow calls hear for every entry that is stored from now on.
func (s *store) follow(hear func(entry)) (*nats.Subscription, error) {
	sub, err := s.nc.Subscribe(provision.RegistryChanges+".>", func(m *nats.Msg) {
		if e, ok := republished(m); ok {
			hear(e)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("follow the bucket: %w", err)
	}
	// The bucket can burst far beyond the defaults; what is lost all the same
	// shows as a gap in the sequences.
	return sub, sub.SetPendingLimits(1<<20, 1<<28)
}

// republished reads what the server sends after it has stored an entry. A
// message without the server's own headers is nobody's truth.
func republished(m *nats.Msg) (entry, bool) {
	key, ok := strings.CutPrefix(m.Subject, provision.RegistryChanges+".")
	seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if !ok || err != nil || m.Header.Get(jetstream.StreamHeader) != bucketStream {
		return entry{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		at = time.Now()
	}
	return newEntry(key, m.Header, m.Data, seq, at), true
}

func newEntry(key string, header nats.Header, value []byte, seq uint64, at time.Time) entry {
	return entry{
		key: key, value: value, seq: seq, at: at.UTC(),
		deleted: deletes(header),
		cause:   header.Get(causeHeader),
	}
}

// deletes tells whether a message of a bucket takes its key away.
func deletes(header nats.Header) bool {
	op := header.Get(kvOperation)
	return op == "DEL" || op == "PURGE" || header.Get("Nats-Marker-Reason") != ""
}
