package connect_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"fairlead.dev/connect"
)

// sourcing is the server's own: a stream that takes from another one waits for
// an answer about that, also after the server stopped.
const sourcing = "github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"

// TestMain keeps tables out of the cache of whoever runs the tests.
func TestMain(m *testing.M) {
	if err := os.Setenv(connect.EnvCache, connect.NoCache); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction(sourcing))
}
