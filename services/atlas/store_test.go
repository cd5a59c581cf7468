package atlas

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestALeaderHearsAMajority(t *testing.T) {
	heard, silent := &jetstream.PeerInfo{Active: time.Second}, &jetstream.PeerInfo{Active: time.Minute}
	offline := &jetstream.PeerInfo{Active: time.Second, Offline: true}
	cases := map[string]struct {
		info *jetstream.ClusterInfo
		want bool
	}{
		"a single server":         {nil, true},
		"one copy in a cluster":   {&jetstream.ClusterInfo{}, true},
		"all of three":            {&jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{heard, heard}}, true},
		"two of three":            {&jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{heard, silent}}, true},
		"alone of three":          {&jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{silent, offline}}, false},
		"alone of two":            {&jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{silent}}, false},
		"three of five":           {&jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{heard, heard, silent, silent}}, true},
		"two of five, by a whole": {&jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{heard, silent, silent, silent}}, false},
	}
	for name, test := range cases {
		if got := hasQuorum(test.info); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}
