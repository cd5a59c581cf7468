package protocol

import (
	"fmt"
	"strconv"
	"strings"

	"fairlead.dev/registry"
)

const (
	// PartHeader numbers the parts of an answer: "2/3".
	PartHeader = "Fairlead-Part"
	// EncodingHeader names how an answer is encoded. A request may name the
	// encoding it wants; without, it gets [EncodingJSON], which was there
	// first. A reader refuses what it does not know.
	EncodingHeader = "Fairlead-Encoding"
	// RealmHeader and RevisionHeader tell what a packed snapshot is of, and
	// as of when, so that the same parts serve while only that goes on.
	RealmHeader    = "Fairlead-Realm"
	RevisionHeader = "Fairlead-Revision"

	// EncodingJSON is JSON in one S2 block, cut into parts.
	EncodingJSON = "json+s2"
	// EncodingPacked has an S2 block of its own in each part, see
	// [PackServices].
	EncodingPacked = "packed2+s2"

	// PartSize is about the most bytes of a part, well below the bus's default
	// payload limit of 1 MiB.
	PartSize = 512 << 10

	// PartsMost is the most parts of an answer. A million instances stay below
	// these. They bound what a forged answer of a few bytes can make a reader
	// allocate.
	PartsMost   = 1024
	maxSnapshot = 512 << 20
	maxUnpacked = 8 << 20
)

// A Part is one message of an answer in several.
type Part struct {
	Header map[string][]string
	Body   []byte
}

// PackedParts returns the parts of a packed snapshot: bodies from
// [PackServices], with what they are of.
func PackedParts(realm string, at registry.Revision, bodies [][]byte) []Part {
	parts := parts(EncodingPacked, bodies)
	for _, p := range parts {
		p.Header[RealmHeader] = []string{realm}
		p.Header[RevisionHeader] = []string{at.String()}
	}
	return parts
}

func parts(encoding string, bodies [][]byte) []Part {
	all := make([]Part, len(bodies))
	for i, body := range bodies {
		all[i] = Part{Body: body, Header: map[string][]string{
			PartHeader:     {fmt.Sprintf("%d/%d", i+1, len(bodies))},
			EncodingHeader: {encoding},
		}}
	}
	return all
}

// position reads a part's number and how many there are.
func position(header map[string][]string) (number, total int, err error) {
	text := first(header, PartHeader)
	left, right, _ := strings.Cut(text, "/")
	number, err = strconv.Atoi(left)
	total, totalErr := strconv.Atoi(right)
	if err != nil || totalErr != nil || number < 1 || number > total || total > PartsMost {
		return 0, 0, fmt.Errorf("snapshot part is numbered %.20q, want like 2/3", text)
	}
	return number, total, nil
}

func revisionOf(header map[string][]string) (registry.Revision, error) {
	text := first(header, RevisionHeader)
	epoch, sequence, _ := strings.Cut(text, "-")
	n, err := strconv.ParseUint(sequence, 10, 64)
	if err != nil {
		return registry.Revision{}, fmt.Errorf("snapshot has revision %.40q, want like 3f9c-17", text)
	}
	return registry.Revision{Epoch: epoch, Sequence: n}, nil
}

func first(header map[string][]string, name string) string {
	if v := header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
