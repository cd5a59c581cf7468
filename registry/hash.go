package registry

import (
	"math/bits"
	"reflect"
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
func (i Instance) Hash() uint64 { return i.hash(hashPairs(i.Metadata)) }

// hash takes the hash of the metadata, which many instances share.
func (i *Instance) hash(pairs uint64) uint64 {
	d := newDigest.text(i.Service).text(i.ID).text(i.Scheme).text(i.Host).word(uint64(i.Port))
	d = d.text(i.Health).text(i.Version).text(i.Zone).word(uint64(i.Weight)).word(pairs)
	d = d.text(i.Incarnation).text(string(i.Status)).flag(i.Enabled)
	return uint64(d.text(i.Owner).text(i.Reason).time(i.Until).time(i.Since))
}

// A hasher spares hashing again the metadata that instances share.
type hasher struct {
	pairs map[string]string
	sum   uint64 // of pairs
}

func (h *hasher) of(metadata map[string]string) uint64 {
	if !sameMap(h.pairs, metadata) {
		h.pairs, h.sum = metadata, hashPairs(metadata)
	}
	return h.sum
}

// sameMap tells whether two are one and the same map, not only equal.
func sameMap(a, b map[string]string) bool {
	return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
}

func hashPairs(pairs map[string]string) (sum uint64) {
	for key, value := range pairs {
		sum += uint64(newDigest.text(key).text(value))
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
func (d digest) word(w uint64) digest {
	high, low := bits.Mul64(uint64(d)^w, factor)
	return digest(high ^ low)
}

func (d digest) text(s string) digest {
	d = d.word(uint64(len(s)))
	for ; len(s) >= 8; s = s[8:] {
		d = d.word(uint64(four(s)) | uint64(four(s[4:]))<<32)
	}
	if s == "" {
		return d
	}
	return d.word(rest(s))
}

func four(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// rest returns up to seven bytes, the first in the lowest bits.
func rest(s string) (w uint64) {
	at := 0
	if len(s) >= 4 {
		w, s, at = uint64(four(s)), s[4:], 32
	}
	for i := range len(s) {
		w |= uint64(s[i]) << (at + 8*i)
	}
	return w
}

func (d digest) time(t time.Time) digest {
	return d.word(uint64(t.Unix())).word(uint64(t.Nanosecond()))
}

func (d digest) flag(b bool) digest {
	if b {
		return d.word(1)
	}
	return d.word(0)
}

// FormatHash returns the wire form of a sum of hashes.
func FormatHash(sum uint64) string { return HashVersion + strconv.FormatUint(sum, 16) }
