package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"

	"fairlead.dev/registry"
)

// Names of the events of the stream.
const (
	eventReset  = "reset"
	eventChange = "change"
)

// resetEvent has everything.
func resetEvent(table *registry.Table) []byte {
	var text bytes.Buffer
	writeEvent(&text, eventReset, table.Revision, table.Snapshot(registry.Interest{Realm: table.Realm}))
	return text.Bytes()
}

// changeEvents returns the events of one step of the table. A reader that is
// cut off in the middle must get the whole step again, so only the last has
// the new revision for an id; those before it have the old one.
func changeEvents(changes []change, before registry.Revision) []byte {
	var text bytes.Buffer
	for i, c := range changes {
		id := before
		if i == len(changes)-1 {
			id = c.Revision
		}
		writeEvent(&text, eventChange, id, c)
	}
	return text.Bytes()
}

// writeEvent writes one event in the format of the HTML standard, §9.2. JSON
// has no line breaks, so one data line does.
func writeEvent(text *bytes.Buffer, name string, id registry.Revision, v any) {
	// Encoding structs of strings and numbers cannot fail.
	data, _ := json.Marshal(v)
	fmt.Fprintf(text, "event: %s\nid: %s\ndata: %s\n\n", name, id, data)
}
