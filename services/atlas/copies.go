package atlas

import (
	"context"
	"time"

	"fairlead.dev/registry/protocol"
)

// copiesTimeout is for a question whose answer is missing while there is no
// leader.
const copiesTimeout = time.Second

// copies tells which servers keep the registry; nil where a single one does.
func (s *store) copies(ctx context.Context) *protocol.Copies {
	ctx, cancel := context.WithTimeout(ctx, copiesTimeout)
	defer cancel()
	stream, err := s.js.Stream(ctx, bucketStream)
	if err != nil {
		return &protocol.Copies{}
	}
	info := stream.CachedInfo()
	if info.Config.Replicas < 2 || info.Cluster == nil {
		return nil
	}
	c := &protocol.Copies{Wanted: info.Config.Replicas, Leader: info.Cluster.Leader}
	for _, peer := range info.Cluster.Replicas {
		c.Followers = append(c.Followers, protocol.Follower{
			Server: peer.Name, InStep: peer.Current, Away: peer.Offline, Behind: peer.Lag,
		})
	}
	return c
}
