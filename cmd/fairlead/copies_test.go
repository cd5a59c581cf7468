package main

import (
	"strings"
	"testing"

	"fairlead.dev/registry/protocol"
)

func TestJudgeCopies(t *testing.T) {
	well := protocol.Follower{Server: "node-2", InStep: true}
	tests := []struct {
		name         string
		copies       *protocol.Copies
		status, want string
	}{
		{"a single server", nil, "", ""},
		{"no leader", &protocol.Copies{}, isFail, "no leader"},
		{"all there", &protocol.Copies{Wanted: 3, Leader: "node-1", Followers: []protocol.Follower{well, well}}, isOK, "3 of 3 copies in step, node-1 leads"},
		{"one away", &protocol.Copies{Wanted: 3, Leader: "node-1", Followers: []protocol.Follower{well, {Server: "node-3", Away: true}}}, isWarn, "2 of 3 copies in step, node-1 leads; node-3 is away"},
		{"one behind", &protocol.Copies{Wanted: 3, Leader: "node-1", Followers: []protocol.Follower{well, {Server: "node-3", Behind: 7}}}, isWarn, "node-3 is 7 changes behind"},
		{"one silent", &protocol.Copies{Wanted: 3, Leader: "node-1", Followers: []protocol.Follower{well, {Server: "node-3"}}}, isWarn, "node-3 is away"},
		{"two away", &protocol.Copies{Wanted: 3, Leader: "node-1", Followers: []protocol.Follower{{Server: "node-2"}, {Server: "node-3", Away: true}}}, isFail, "too few for anything to be written"},
	}
	for _, tt := range tests {
		found := judgeCopies(tt.copies)
		if tt.status == "" {
			if len(found) > 0 {
				t.Errorf("%s: %+v", tt.name, found)
			}
			continue
		}
		if len(found) != 1 || found[0].Status != tt.status || !strings.Contains(found[0].Detail, tt.want) {
			t.Errorf("%s: %+v, expected %s %q", tt.name, found, tt.status, tt.want)
		}
	}
}

func TestANodeThatCannotWriteIsAFailure(t *testing.T) {
	s := protocol.StatusReply{Nodes: []protocol.NodeStatus{{Node: "a-1"}, {Node: "b-1", Storage: "nothing can be written: no space left on device"}}}
	found := judgeStorage(s)
	if len(found) != 1 || found[0].Status != isFail || found[0].Detail != "b-1: nothing can be written: no space left on device" {
		t.Errorf("found %+v", found)
	}
	if found := judgeStorage(protocol.StatusReply{Nodes: s.Nodes[:1]}); len(found) > 0 {
		t.Errorf("found %+v where all is well", found)
	}
}
