package registry

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
)

// HashVersion prefixes every digest. It changes when the fields that are
// hashed do, or how, so that programs of different versions ignore each
// other's digests instead of asking for snapshots for ever.
const HashVersion = "2:"

// Hash returns a hash of the view without its revision: what is hashed is
// what routing rests on, however it came about. Hashes of a service's
// instances are added up, so a digest is kept current at the cost of one
// instance.
//
// It is the XXH64 of the fields in the order of the struct: texts after their
// length, numbers, and times as seconds and nanoseconds of Unix time, each
// number in 8 bytes, little end first. Metadata counts as the sum of the
// XXH64 of its pairs.
func (i Instance) Hash() uint64 {
	var room [512]byte
	b := room[:0]
	for _, text := range [...]string{i.Service, i.ID, i.Scheme, i.Host, i.Health, i.Version, i.Zone, i.Incarnation, string(i.Status), i.Owner, i.Reason} {
		b = appendText(b, text)
	}
	for _, number := range [...]uint64{uint64(i.Port), uint64(i.Weight), hashMetadata(i.Metadata), asNumber(i.Enabled)} {
		b = binary.LittleEndian.AppendUint64(b, number)
	}
	b = appendTime(b, i.Until)
	b = appendTime(b, i.Since)
	return xxhash.Sum64(b)
}

// hashMetadata does not depend on the order, which a map does not have.
func hashMetadata(pairs map[string]string) (sum uint64) {
	var room [256]byte
	for key, value := range pairs {
		sum += xxhash.Sum64(appendText(appendText(room[:0], key), value))
	}
	return sum
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(t.Unix()))
	return binary.LittleEndian.AppendUint64(b, uint64(t.Nanosecond()))
}

func asNumber(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// FormatHash returns the wire form of a sum of hashes.
func FormatHash(sum uint64) string { return HashVersion + strconv.FormatUint(sum, 16) }
