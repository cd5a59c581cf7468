package atlas

import (
	"encoding/json"
	"sync"
	"time"

	"fairlead.dev/bus/provision"
	"fairlead.dev/registry"
)

// samplesMost bounds what one round writes to the heartbeats bucket, which is
// for people to look at. A realm of more instances is sampled: who beats first
// after a round is in the next one, and periods are jittered.
const samplesMost = 500

// samples are the instances whose last heartbeat is to be stored. Its methods
// may be called concurrently; the zero value is ready.
type samples struct {
	mu     sync.Mutex
	leases []*lease
}

// A storedBeat is the value in the heartbeats bucket. The token stays out.
type storedBeat struct {
	Status      registry.Status `json:"status"`
	InFlight    int             `json:"in_flight"`
	Load        float64         `json:"load"`
	Incarnation string          `json:"incarnation"`
	At          time.Time       `json:"at"`
}

// add notes that an instance was heard, if there is room in this round.
func (s *samples) add(l *lease) {
	if l.sampled.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.leases) < samplesMost {
		l.sampled.Store(true)
		s.leases = append(s.leases, l)
	}
}

func (s *samples) take() []*lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.leases
	s.leases = nil
	return taken
}

// store publishes the last heartbeats of a round. Nobody waits for the bucket,
// and what it does not take is not missed.
func (s *samples) store(n *Node, at time.Time) {
	now := n.moment(at)
	for _, l := range s.take() {
		l.sampled.Store(false)
		data, _ := json.Marshal(l.sample(at.Add(l.seen().since(now))))
		if err := n.nc.Publish(heartbeatSubject+l.key.Dotted(), data); err != nil {
			n.log.Debug("heartbeat not stored", "instance", l.key.String(), "error", err)
		}
	}
}

const heartbeatSubject = "$KV." + provision.HeartbeatsBucket + "."

func (l *lease) sample(at time.Time) storedBeat {
	r := l.record.Load()
	inFlight, load := l.lastLoad()
	return storedBeat{Status: r.Atlas.Status, InFlight: inFlight, Load: load, Incarnation: r.Atlas.Incarnation, At: at.UTC()}
}
