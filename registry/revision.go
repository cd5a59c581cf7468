package registry

import "fmt"

// A Revision orders what the registry ever said. Within an epoch a higher
// sequence is newer. Epochs are random ids of the bucket's lives and have no
// order: a new one means that everything has to be asked for again.
type Revision struct {
	Epoch    string `json:"epoch"`
	Sequence uint64 `json:"sequence"`
}

func (r Revision) String() string { return fmt.Sprintf("%s-%d", r.Epoch, r.Sequence) }
