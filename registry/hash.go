package registry

import (
	"math/bits"
	"strconv"
	"time"
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
// It runs over 64-bit words: of each text its length and then its bytes, eight
// to a word, the first in the lowest bits; numbers; times as seconds and
// nanoseconds of Unix time. Metadata is one word, the sum of the hashes of its
// pairs, because a map has no order. See [digest.word] for a step. It finds
// what was lost or garbled; it is no protection from forgery.
func (i Instance) Hash() uint64 {
	d := newDigest
	d.text(i.Service)
	d.text(i.ID)
	d.text(i.Scheme)
	d.text(i.Host)
	d.word(uint64(i.Port))
	d.text(i.Health)
	d.text(i.Version)
	d.text(i.Zone)
	d.word(uint64(i.Weight))
	d.word(hashPairs(i.Metadata))
	d.text(i.Incarnation)
	d.text(string(i.Status))
	d.flag(i.Enabled)
	d.text(i.Owner)
	d.text(i.Reason)
	d.time(i.Until)
	d.time(i.Since)
	return uint64(d)
}

func hashPairs(pairs map[string]string) (sum uint64) {
	for key, value := range pairs {
		d := newDigest
		d.text(key)
		d.text(value)
		sum += uint64(d)
	}
	return sum
}

// A digest in the making. The constants are the fractions of the square roots
// of 2 and 3.
type digest uint64

const (
	newDigest digest = 0x6a09e667f3bcc908
	factor    uint64 = 0xbb67ae8584caa73b
)

// word multiplies and folds the 128 bits of the product into 64.
func (d *digest) word(w uint64) {
	high, low := bits.Mul64(uint64(*d)^w, factor)
	*d = digest(high ^ low)
}

func (d *digest) text(s string) {
	d.word(uint64(len(s)))
	for ; len(s) >= 8; s = s[8:] {
		d.word(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)
	}
	if s == "" {
		return
	}
	var last uint64
	for i := range len(s) {
		last |= uint64(s[i]) << (8 * i)
	}
	d.word(last)
}

func (d *digest) time(t time.Time) {
	d.word(uint64(t.Unix()))
	d.word(uint64(t.Nanosecond()))
}

func (d *digest) flag(b bool) {
	if b {
		d.word(1)
		return
	}
	d.word(0)
}

// FormatHash returns the wire form of a sum of hashes.
func FormatHash(sum uint64) string { return HashVersion + strconv.FormatUint(sum, 16) }
