package main

import (
	"strings"
	"testing"
)

func TestClusterFlagsSayWhatIsWrong(t *testing.T) {
	const peers = "127.0.0.1:6221,127.0.0.1:6222,127.0.0.1:6223"
	tests := []struct {
		want string
		args []string
	}{
		{"--cluster-peers: needs --cluster-addr", []string{"--cluster-peers", peers}},
		{"--cluster-addr: must be HOST:PORT", []string{"--cluster-addr", "nowhere", "--cluster-peers", peers}},
		{"--cluster-addr: 0.0.0.0:6221 is beyond loopback", []string{"--cluster-addr", "0.0.0.0:6221", "--cluster-peers", peers}},
		{"--cluster-addr: must have a port", []string{"--cluster-addr", "127.0.0.1:0", "--cluster-peers", peers}},
		{"--cluster-peers: must be HOST:PORT of each node", []string{"--cluster-addr", "127.0.0.1:6221", "--cluster-peers", "node-2"}},
		{"--cluster-peers: must name the nodes of a cluster of three or more, got 2", []string{"--cluster-addr", "127.0.0.1:6221", "--cluster-peers", "127.0.0.1:6222"}},
		{"missing in the environment: FAIRLEAD_APP_PASSWORD, FAIRLEAD_ATLAS_PASSWORD, FAIRLEAD_CLUSTER_PASSWORD, FAIRLEAD_SYS_PASSWORD", []string{"--cluster-addr", "127.0.0.1:6221", "--cluster-peers", peers}},
		{"--sys-password: must have no quotes", []string{"--cluster-addr", "127.0.0.1:6221", "--cluster-peers", peers, "--sys-password", `"`}},
		{"--replicas: must be between 1 and 5", []string{"--replicas", "7"}},
		{"--cluster-addr: is for the bus of this node", []string{"--nats-url", "nats://127.0.0.1:1", "--cluster-addr", "127.0.0.1:6221"}},
	}
	for _, tt := range tests {
		got := fairlead(t, "", "", append([]string{"server", "--data", t.TempDir(), "--nats-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"}, tt.args...)...)
		if got.code != exitUsage || !strings.Contains(got.err, tt.want) {
			t.Errorf("%v: exit code %d: %s, expected %q", tt.args, got.code, got.err, tt.want)
		}
	}
}

func TestCopiesOfWhatIsStored(t *testing.T) {
	three := clusterFlags{addr: "127.0.0.1:1", peers: []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}}
	tests := []struct {
		name  string
		flags controlPlaneFlags
		url   string
		want  int
	}{
		{"a single server", controlPlaneFlags{}, "nats://a", 0},
		{"a cluster", controlPlaneFlags{cluster: three}, "nats://a", 3},
		{"somebody else's cluster", controlPlaneFlags{}, "nats://a,nats://b,nats://c", 3},
		{"as told", controlPlaneFlags{cluster: three, replicas: 1}, "nats://a", 1},
	}
	for _, tt := range tests {
		if got := tt.flags.copies(tt.url); got != tt.want {
			t.Errorf("%s: %d, expected %d", tt.name, got, tt.want)
		}
	}
}
