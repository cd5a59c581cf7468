package protocol

import (
	"errors"
	"fmt"
	"sync"

	"fairlead.dev/registry"
)

// A Joiner puts the parts of one answer together. Packed parts are unpacked
// while others are still on their way, each in a goroutine of its own. The
// zero value is ready; it is used by one goroutine, which has to call
// [Joiner.Snapshot] or [Joiner.Wait] in the end.
type Joiner struct {
	encoding string
	snapshot registry.Snapshot // what the headers say
	bodies   [][]byte
	arrived  []bool
	services [][]registry.ServiceSnapshot
	errs     []error
	have     int
	work     sync.WaitGroup
}

// Add takes one part, in any order, and tells whether the answer is complete.
// It keeps the part's body.
func (j *Joiner) Add(p Part) (complete bool, err error) {
	number, total, err := position(p.Header)
	if err != nil {
		return false, err
	}
	if j.bodies == nil {
		if err := j.begin(p, total); err != nil {
			return false, err
		}
	}
	if err := j.fits(p, number, total); err != nil {
		return false, err
	}
	i := number - 1
	j.bodies[i], j.arrived[i] = p.Body, true
	j.have++
	if j.encoding == EncodingPacked {
		j.work.Go(func() { j.services[i], j.errs[i] = UnpackServices(j.bodies[i]) })
	}
	return j.have == total, nil
}

func (j *Joiner) begin(p Part, total int) (err error) {
	switch j.encoding = first(p.Header, EncodingHeader); j.encoding {
	case EncodingPacked:
		j.snapshot.Realm = first(p.Header, RealmHeader)
		if j.snapshot.Revision, err = revisionOf(p.Header); err != nil {
			return err
		}
	case EncodingJSON:
	default:
		return fmt.Errorf("snapshot has encoding %.40q, want %q or %q", j.encoding, EncodingPacked, EncodingJSON)
	}
	j.bodies, j.arrived = make([][]byte, total), make([]bool, total)
	j.services, j.errs = make([][]registry.ServiceSnapshot, total), make([]error, total)
	return nil
}

func (j *Joiner) fits(p Part, number, total int) error {
	if total != len(j.bodies) || j.arrived[number-1] || first(p.Header, EncodingHeader) != j.encoding {
		return fmt.Errorf("part %d of %d does not fit an answer of %d parts", number, total, len(j.bodies))
	}
	if j.encoding != EncodingPacked {
		return nil
	}
	if at, err := revisionOf(p.Header); err != nil || at != j.snapshot.Revision {
		return fmt.Errorf("part %d of %d is of another revision", number, total)
	}
	return nil
}

// Wait waits for what is being unpacked.
func (j *Joiner) Wait() { j.work.Wait() }

// Snapshot decodes a complete answer.
func (j *Joiner) Snapshot() (registry.Snapshot, error) {
	j.work.Wait()
	if j.encoding != EncodingPacked {
		return decodeJSON(j.bodies)
	}
	if err := errors.Join(j.errs...); err != nil {
		return registry.Snapshot{}, err
	}
	s := j.snapshot
	s.Services = joinServices(j.services)
	return s, nil
}
