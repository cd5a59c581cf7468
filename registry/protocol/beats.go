package protocol

// BeatsMost bounds the heartbeats of one message.
const BeatsMost = 128

// BeatsMessage is a heartbeat for many instances of the realm that its subject
// names, published or requested. The subject is that of any instance which the
// sender may speak for; the tokens prove the rest. It is for those who keep many
// instances registered over one connection: a message costs the bus the same,
// whatever is in it.
type BeatsMessage struct {
	Beats []InstanceBeat `json:"beats"`
}

// An InstanceBeat is the heartbeat of one of many.
type InstanceBeat struct {
	Service  string `json:"service"`
	Instance string `json:"instance"`
	HeartbeatMessage
}

// BeatsReply answers a [BeatsMessage]: all others' leases are kept.
type BeatsReply struct {
	Refused []RefusedBeat `json:"refused,omitempty"`
}

// A RefusedBeat is what would have been the answer to one instance's own
// request.
type RefusedBeat struct {
	Service  string   `json:"service"`
	Instance string   `json:"instance"`
	Problem  *Problem `json:"problem"`
}
