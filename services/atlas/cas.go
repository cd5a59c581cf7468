//go:build !withoutcas

package atlas

import (
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// expect makes a write a compare-and-set: the server refuses it if the key has
// moved beyond last, or, for zero, if it exists.
func expect(h nats.Header, last uint64) {
	h.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(last, 10))
}
