package embedded

import (
	"sync"
	"time"
	_ "unsafe" // for go:linkname

	// The package whose variable this is.
	_ "github.com/nats-io/nats-server/v2/server"
)

// electionLatest is how long after the last word of a leader the last of its
// followers stands for election. The server's own 9 s leave writes blocked
// for longer than 7 s after every eighth death of a leader; with the first
// unchanged at 4 s, twice two seconds of stalling are tolerated as before.
// There is no option for it (docs/adr/0010-elections.md). Should the variable
// go away, the program does not link.
const electionLatest = 6 * time.Second

//go:linkname maxElectionTimeout github.com/nats-io/nats-server/v2/server.maxElectionTimeout
var maxElectionTimeout time.Duration

// hastenElections has to be called before the first server starts.
var hastenElections = sync.OnceFunc(func() { maxElectionTimeout = electionLatest })
