package protocol

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/klauspost/compress/s2"

	"fairlead.dev/registry"
)

const (
	// PartHeader numbers the parts of an answer: "2/3".
	PartHeader = "Fairlead-Part"
	// EncodingHeader names how the parts, put together, are encoded. A reader
	// refuses what it does not know.
	EncodingHeader = "Fairlead-Encoding"
	// EncodingJSONS2 is JSON in one S2 block.
	EncodingJSONS2 = "json+s2"
	// PartSize is the most bytes of a part, well below the bus's default
	// payload limit of 1 MiB.
	PartSize = 512 << 10

	// A million instances stay below these. They bound what a forged answer
	// of a few bytes can make a reader allocate.
	maxParts    = 1024
	maxSnapshot = 512 << 20
)

// A Part is one message of an answer in several.
type Part struct {
	Header map[string][]string
	Body   []byte
}

// EncodeSnapshot returns a snapshot as one or more parts.
func EncodeSnapshot(s registry.Snapshot) ([]Part, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	return split(s2.Encode(nil, text)), nil
}

func split(packed []byte) []Part {
	total := (len(packed) + PartSize - 1) / PartSize
	parts := make([]Part, total)
	for i := range parts {
		end := min((i+1)*PartSize, len(packed))
		parts[i] = Part{
			Header: map[string][]string{
				PartHeader:     {fmt.Sprintf("%d/%d", i+1, total)},
				EncodingHeader: {EncodingJSONS2},
			},
			Body: packed[i*PartSize : end],
		}
	}
	return parts
}

// A Joiner puts the parts of one answer together. The zero value is ready.
type Joiner struct {
	bodies [][]byte
	have   int
}

// Add takes one part, in any order, and tells whether the answer is complete.
func (j *Joiner) Add(p Part) (complete bool, err error) {
	number, total, err := position(p.Header)
	if err != nil {
		return false, err
	}
	if j.bodies == nil {
		j.bodies = make([][]byte, total)
	}
	if total != len(j.bodies) || j.bodies[number-1] != nil {
		return false, fmt.Errorf("part %d of %d does not fit an answer of %d parts", number, total, len(j.bodies))
	}
	j.bodies[number-1] = append([]byte{}, p.Body...)
	j.have++
	return j.have == total, nil
}

func position(header map[string][]string) (number, total int, err error) {
	if enc := first(header, EncodingHeader); enc != EncodingJSONS2 {
		return 0, 0, fmt.Errorf("snapshot has encoding %q, want %q", enc, EncodingJSONS2)
	}
	text := first(header, PartHeader)
	left, right, _ := strings.Cut(text, "/")
	number, err = strconv.Atoi(left)
	total, totalErr := strconv.Atoi(right)
	if err != nil || totalErr != nil || number < 1 || number > total || total > maxParts {
		return 0, 0, fmt.Errorf("snapshot part is numbered %.20q, want like 2/3", text)
	}
	return number, total, nil
}

func first(header map[string][]string, name string) string {
	if v := header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Snapshot decodes a complete answer.
func (j *Joiner) Snapshot() (registry.Snapshot, error) {
	var packed []byte
	for _, b := range j.bodies {
		packed = append(packed, b...)
	}
	size, err := s2.DecodedLen(packed)
	if err != nil || size > maxSnapshot {
		return registry.Snapshot{}, fmt.Errorf("snapshot is not an S2 block of at most %d bytes", maxSnapshot)
	}
	text, err := s2.Decode(nil, packed)
	if err != nil {
		return registry.Snapshot{}, fmt.Errorf("unpack snapshot: %w", err)
	}
	var s registry.Snapshot
	if err := json.Unmarshal(text, &s); err != nil {
		return registry.Snapshot{}, fmt.Errorf("decode snapshot: %w", err)
	}
	return s, nil
}
