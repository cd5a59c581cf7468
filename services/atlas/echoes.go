package atlas

import (
	"bytes"
	"sync"
)

// Echoes are the records that this node is writing. What it hears of them from
// the bucket it need not read again: where the bytes are the same, so is the
// record. The zero value is ready; it may be used concurrently.
type echoes struct {
	mu sync.Mutex
	of map[string]echo
}

type echo struct {
	record  *record
	encoded []byte
}

// expect notes a record that is about to be written; it must not change any
// more. Whoever calls it calls forget when the write has ended.
func (e *echoes) expect(key string, r *record, encoded []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.of == nil {
		e.of = map[string]echo{}
	}
	e.of[key] = echo{r, encoded}
}

func (e *echoes) forget(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.of, key)
}

// take returns the record that a value is, nil if it is none of these. Whoever
// takes a record has it alone.
func (e *echoes) take(key string, value []byte) *record {
	e.mu.Lock()
	defer e.mu.Unlock()
	if one, ok := e.of[key]; ok && bytes.Equal(one.encoded, value) {
		delete(e.of, key)
		return one.record
	}
	return nil
}
