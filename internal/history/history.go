// Package history checks what clients of the registry were told, while it was
// being broken, against what a registry in one piece could have told them.
//
//	var h history.History
//	h.Record(client, history.Call{Kind: history.Register, Key: "local/identity/a", Life: "x", Endpoint: e},
//		func() history.Answer { … })
//	if err := h.Check(time.Minute); err != nil { … }
//
// The calls of one key must be linearizable: there is an order of them, each
// between its call and its answer, in which a registry that does one thing at
// a time would have given the same answers. The checker is porcupine; the
// rules of the registry are in model.go.
package history

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Kind is what a call asks for.
type Kind int

const (
	// Register claims a key for a life and an endpoint.
	Register Kind = iota
	// Deregister ends a life.
	Deregister
	// ReadLife reads which life is registered.
	ReadLife
	// SetFlag sets the operator's flag of a key.
	SetFlag
	// ReadFlag reads it.
	ReadFlag
)

// A Call is one request of a client.
type Call struct {
	Kind Kind
	Key  string
	// Life and Endpoint are whose registration it is.
	Life, Endpoint string
	Enabled        bool
}

// Outcome is how a call ended.
type Outcome int

const (
	// Done was acknowledged.
	Done Outcome = iota
	// Refused was answered, with a refusal that changes nothing.
	Refused
	// Unknown had no answer: it may have happened, or may yet happen.
	Unknown
)

// An Answer is what a client was told.
type Answer struct {
	Outcome Outcome
	// Sequence is the acknowledged write's.
	Sequence uint64
	// Life and Enabled are what was read; no life means not registered.
	Life    string
	Enabled bool
}

// A History is what several clients did. The zero value is empty; it may be
// used concurrently.
type History struct {
	mu    sync.Mutex
	began time.Time
	calls []porcupine.Operation
}

// Record does a call and notes when it began and ended. A client has one call
// at a time.
func (h *History) Record(client int, call Call, do func() Answer) Answer {
	began := h.now()
	answer := do()
	ended := h.now()
	if answer.Outcome == Unknown && (call.Kind == ReadLife || call.Kind == ReadFlag) {
		return answer // it changed nothing, and tells nothing
	}
	if answer.Outcome == Unknown {
		// It may take effect at any time from now on, or never, which is the
		// same as after everything else.
		ended = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, porcupine.Operation{
		ClientId: client, Input: call, Output: answer, Call: began, Return: ended,
	})
	return answer
}

func (h *History) now() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.began.IsZero() {
		h.began = time.Now()
	}
	return int64(time.Since(h.began))
}

// Count tells how many calls ended in an outcome.
func (h *History) Count(o Outcome) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, c := range h.calls {
		if c.Output.(Answer).Outcome == o {
			n++
		}
	}
	return n
}

// Check returns an error that names the first key whose calls no registry in
// one piece could have answered so, or one that says that the answer was not
// found within the time.
func (h *History) Check(within time.Duration) error {
	h.mu.Lock()
	calls := slices.Clone(h.calls)
	h.mu.Unlock()
	for _, part := range partition(calls) {
		result, info := porcupine.CheckOperationsVerbose(model, part, within)
		switch result {
		case porcupine.Illegal:
			return fmt.Errorf("%s is not linearizable:\n%s", part[0].Input.(Call).Key, describe(part, furthest(info)))
		case porcupine.Unknown:
			return fmt.Errorf("%s: %d calls were not checked within %s", part[0].Input.(Call).Key, len(part), within)
		}
	}
	return nil
}
