package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// A file is a line that names the format and its version, a line of JSON that
// says what follows, the parts of a packed snapshot, and the SHA-256 of all
// that.
const magic = "fairlead table 2\n"

// head is the line of JSON.
type head struct {
	Realm    string            `json:"realm"`
	Service  string            `json:"service,omitempty"`
	Revision registry.Revision `json:"revision"`
	Parts    []int             `json:"parts"` // bytes of each
}

var (
	errFormat   = errors.New("not a table of this version")
	errChecksum = errors.New("checksum does not match")
)

// encode returns a file's content.
func encode(in registry.Interest, s registry.Snapshot) ([]byte, error) {
	bodies := protocol.PackServices(s.Services)
	h := head{Realm: in.Realm, Service: in.Service, Revision: s.Revision}
	for _, body := range bodies {
		h.Parts = append(h.Parts, len(body))
	}
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	text := append(append([]byte(magic), line...), '\n')
	text = append(text, bytes.Join(bodies, nil)...)
	sum := sha256.Sum256(text)
	return append(text, sum[:]...), nil
}

// decode returns what a file says of an interest, or why it is not to be used.
func decode(in registry.Interest, data []byte) (registry.Snapshot, error) {
	text, ok := bytes.CutPrefix(data, []byte(magic))
	if !ok || len(text) < sha256.Size {
		return registry.Snapshot{}, errFormat
	}
	cut := len(data) - sha256.Size
	if sum := sha256.Sum256(data[:cut]); !bytes.Equal(sum[:], data[cut:]) {
		return registry.Snapshot{}, errChecksum
	}
	line, bodies, ok := bytes.Cut(text[:len(text)-sha256.Size], []byte("\n"))
	var h head
	if !ok || json.Unmarshal(line, &h) != nil {
		return registry.Snapshot{}, errFormat
	}
	if h.Realm != in.Realm || h.Service != in.Service {
		return registry.Snapshot{}, fmt.Errorf("it is of %.40q in realm %.40q", h.Service, h.Realm)
	}
	return h.unpack(bodies)
}

func (h head) unpack(bodies []byte) (registry.Snapshot, error) {
	s := registry.Snapshot{Realm: h.Realm, Revision: h.Revision}
	var parts [][]byte
	for _, size := range h.Parts {
		if size < 0 || size > len(bodies) {
			return registry.Snapshot{}, errFormat
		}
		parts = append(parts, bodies[:size])
		bodies = bodies[size:]
	}
	var err error
	if s.Services, err = protocol.UnpackParts(parts); err != nil {
		return registry.Snapshot{}, err
	}
	return s, nil
}
