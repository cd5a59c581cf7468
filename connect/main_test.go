package connect_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"fairlead.dev/connect"
)

// TestMain keeps tables out of the cache of whoever runs the tests.
func TestMain(m *testing.M) {
	if err := os.Setenv(connect.EnvCache, connect.NoCache); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
