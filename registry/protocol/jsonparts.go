package protocol

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"

	"fairlead.dev/registry"
)

// EncodeJSON returns a snapshot as JSON in one or more parts, for readers that
// do not know the packed form.
func EncodeJSON(s registry.Snapshot) ([]Part, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	return parts(EncodingJSON, slices.Collect(slices.Chunk(s2.Encode(nil, text), PartSize))), nil
}

func decodeJSON(bodies [][]byte) (registry.Snapshot, error) {
	text, err := decompress(slices.Concat(bodies...), maxSnapshot)
	if err != nil {
		return registry.Snapshot{}, err
	}
	var s registry.Snapshot
	if err := json.Unmarshal(text, &s); err != nil {
		return registry.Snapshot{}, fmt.Errorf("decode snapshot: %w", err)
	}
	return s, nil
}

func decompress(block []byte, most int) ([]byte, error) {
	size, err := s2.DecodedLen(block)
	if err != nil || size > most {
		return nil, fmt.Errorf("snapshot is not an S2 block of at most %d bytes", most)
	}
	text, err := s2.Decode(nil, block)
	if err != nil {
		return nil, fmt.Errorf("unpack snapshot: %w", err)
	}
	return text, nil
}
