package registry

import (
	"fmt"
	"strconv"
	"strings"
)

// A Revision orders what the registry ever said. Within an epoch a higher
// sequence is newer. Epochs are random ids of the bucket's lives and have no
// order: a new one means that everything has to be asked for again.
type Revision struct {
	Epoch    string `json:"epoch"`
	Sequence uint64 `json:"sequence"`
}

func (r Revision) String() string { return fmt.Sprintf("%s-%d", r.Epoch, r.Sequence) }

// ParseRevision reads what String wrote. The error is a [*FieldError].
func ParseRevision(text string) (Revision, error) {
	at := strings.LastIndexByte(text, '-')
	if at > 0 && printable(text) {
		if sequence, err := strconv.ParseUint(text[at+1:], 10, 64); err == nil {
			return Revision{Epoch: text[:at], Sequence: sequence}, nil
		}
	}
	return Revision{}, &FieldError{Field: "revision", Problem: "must be an epoch and a sequence like 3f9c-17, got " + quote(text)}
}
