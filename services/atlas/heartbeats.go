package atlas

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/provision"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// heartbeatsAtOnce bounds what one round writes; the rest waits for the next.
// The bucket is for people to look at, so it may lag.
const heartbeatsAtOnce = 2000

// A beat is the last heartbeat of an instance that was not yet stored.
type beat struct {
	message protocol.HeartbeatMessage
	at      time.Time
}

// A storedBeat is the value in the heartbeats bucket. The token stays out.
type storedBeat struct {
	Status      registry.Status `json:"status"`
	InFlight    int             `json:"in_flight"`
	Load        float64         `json:"load"`
	Incarnation string          `json:"incarnation"`
	At          time.Time       `json:"at"`
}

// storeHeartbeats writes the last heartbeats to their bucket, without waiting.
func (s *state) storeHeartbeats(ctx context.Context, now time.Time) {
	n := 0
	for k, b := range s.beats {
		if n++; n > heartbeatsAtOnce {
			return
		}
		delete(s.beats, k)
		data, _ := json.Marshal(storedBeat{
			Status: b.message.Status, InFlight: b.message.InFlight, Load: b.message.Load,
			Incarnation: b.message.Incarnation, At: b.at.UTC(),
		})
		m := &nats.Msg{Subject: "$KV." + provision.HeartbeatsBucket + "." + k.Dotted(), Data: data}
		if _, err := s.node.store.js.PublishMsgAsync(m, jetstream.WithStallWait(time.Millisecond)); err != nil {
			s.node.log.DebugContext(ctx, "heartbeat not stored", "instance", k.String(), "error", err)
			return
		}
	}
}
