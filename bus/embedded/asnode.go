package embedded

import (
	"errors"
	"reflect"
	"sync/atomic"
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
)

// notStarted is how the server begins to tell that JetStream did not start. It
// cleans up right afterwards.
const notStarted = "Can't start JetStream"

var errOtherServer = errors.New("embedded bus: this version of nats-server does not tell a node from a single server as expected")

// answersAsNode is how the server tells, for every request, whether it may
// answer only for the streams that it leads. It sets that last when it opens
// its store, after it has read its streams from the disk. Until then it takes
// itself for a single server, and would answer for all of them from copies as
// old as their last write: the store of a server that starts cannot be asked
// yet, but one that is opened again has its connections and routes
// (docs/adr/0012-a-full-disk.md). There is no option for it.
func answersAsNode(nats *server.Server) (*atomic.Bool, error) {
	field, ok := reflect.TypeFor[server.Server]().FieldByName("jsClustered")
	if !ok || field.Type != reflect.TypeFor[atomic.Bool]() {
		return nil, errOtherServer
	}
	return (*atomic.Bool)(unsafe.Add(unsafe.Pointer(nats), field.Offset)), nil
}

// openStore has the server start its JetStream, which is closed. A node is one
// from the start: a question that another node should answer is left to it.
func (s *Server) openStore() error {
	if s.cluster == nil {
		return s.reload()
	}
	asNode, err := answersAsNode(s.nats)
	if err != nil {
		return err
	}
	// What the server does when it could not start is made for a single
	// server, and looks for a cluster if it is told that it is a node.
	before := func() { asNode.Store(false) }
	s.adapter.cleanup.Store(&before)
	defer s.adapter.cleanup.Store(nil)
	asNode.Store(true)
	err = s.reload()
	if !s.nats.JetStreamEnabled() {
		asNode.Store(false)
	}
	return err
}
