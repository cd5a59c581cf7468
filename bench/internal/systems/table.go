package systems

import (
	"encoding/json"
	"sync"

	"fairlead.dev/registry"
)

// A Table is what a listener of a peer applies changes to. The product brings
// its own. It holds what a router needs, decoded.
type Table struct {
	heard Heard

	mu   sync.Mutex
	rows map[Key]registry.Instance
}

// NewTable returns an empty table. heard may be nil.
func NewTable(heard Heard) *Table {
	if heard == nil {
		heard = func(Key, State) {}
	}
	return &Table{heard: heard, rows: map[Key]registry.Instance{}}
}

// Put applies the stored value of an instance.
func (t *Table) Put(k Key, value []byte) error {
	var in registry.Instance
	if err := json.Unmarshal(value, &in); err != nil {
		return err
	}
	t.mu.Lock()
	t.rows[k] = in
	t.mu.Unlock()
	t.heard(k, StateOf(in.Enabled))
	return nil
}

// Remove applies that an instance is gone.
func (t *Table) Remove(k Key) {
	t.mu.Lock()
	delete(t.rows, k)
	t.mu.Unlock()
	t.heard(k, Absent)
}

// Keys returns the instances of the table.
func (t *Table) Keys() []Key {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := make([]Key, 0, len(t.rows))
	for k := range t.rows {
		keys = append(keys, k)
	}
	return keys
}

// State returns what the table holds of an instance.
func (t *Table) State(k Key) State {
	t.mu.Lock()
	defer t.mu.Unlock()
	in, found := t.rows[k]
	if !found {
		return Absent
	}
	return StateOf(in.Enabled)
}

// Len returns the number of instances.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.rows)
}

// Value returns what a peer stores of an instance: the same JSON that a table
// of the product has of it.
func Value(in Instance, enabled bool) []byte {
	// A struct of strings and numbers always encodes.
	value, _ := json.Marshal(registry.Instance{
		Service: in.Service, ID: in.ID, Scheme: "http", Host: "127.0.0.1", Port: in.Port,
		Health: "/health/ready", Version: "1.0.0", Zone: "a", Weight: registry.DefaultWeight,
		Metadata:    map[string]string{"git": "0123456789abcdef"},
		Incarnation: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Status: registry.Passing, Enabled: enabled,
	})
	return value
}
