package atlas

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"fairlead.dev/registry"
)

// A record is the value of a `hosts.<realm>.<service>.<instance>` key: what
// the instance said, and in a part of its own what Atlas knows. A record put
// by hand may lack that part.
type record struct {
	registry.Registration
	Atlas atlasPart `json:"atlas,omitzero"`
}

// atlasPart is what Atlas adds to a registration.
type atlasPart struct {
	// Status is the instance's own word.
	Status registry.Status `json:"status,omitempty"`
	// Suspect is Atlas's doubt, Cause the reason of the last change of either.
	Suspect      bool      `json:"suspect,omitempty"`
	SuspectSince time.Time `json:"suspect_since,omitzero"`
	Cause        string    `json:"cause,omitempty"`
	Incarnation  string    `json:"incarnation,omitempty"`
	// TokenHash is the SHA-256 of the lease's token: who may read the bucket
	// still cannot speak for the instance.
	TokenHash    string    `json:"token_sha256,omitempty"`
	RegisteredBy string    `json:"registered_by,omitempty"`
	RegisteredAt time.Time `json:"registered_at,omitzero"`
	Via          string    `json:"via,omitempty"`
	// Server and Client are the bus connection that registered, whose closing
	// says something of the instance.
	Server string `json:"server,omitempty"`
	Client uint64 `json:"client,omitempty"`
}

// decodeRecord reads a record that Atlas or a person wrote. It is as strict
// with the registration as with one that comes over HTTP.
func decodeRecord(data []byte) (*record, error) {
	r := record{Registration: registry.Registration{}.WithDefaults()}
	if err := registry.DecodeStrict(data, &r); err != nil {
		return nil, err
	}
	if err := r.Registration.Validate(); err != nil {
		return nil, err
	}
	if r.Atlas.Status == "" {
		r.Atlas.Status = registry.Passing
	}
	if err := registry.ValidateReported(r.Atlas.Status); err != nil {
		return nil, err
	}
	return &r, nil
}

func (r *record) clone() *record {
	c := *r
	return &c
}

// status is what routers are told.
func (r *record) status() registry.Status {
	if r.Atlas.Suspect && r.Atlas.Status != registry.Draining {
		return registry.Suspect
	}
	return r.Atlas.Status
}

// knows tells whether a token is the lease's. It allocates nothing: every
// heartbeat comes by here.
func (r *record) knows(token []byte) bool {
	sum := sha256.Sum256(token)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:]) == r.Atlas.TokenHash
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
