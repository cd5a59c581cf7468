package protocol

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"fairlead.dev/registry"
)

// Fields of packed changes. A service is named once; a change is most often
// the condition of one of its instances, which is a small part of its view.
//
//	message Changes   { fixed64 mark = 15; string epoch = 1; string realm = 2; string service = 3;
//	                    uint64 count = 4; repeated Change changes = 5; }
//	message Change    { uint64 revision = 1; uint64 previous = 2; Instance instance = 3;
//	                    Condition condition = 4; string gone = 5; bytes meta = 6; }
//	message Condition { string id = 1; uint64 weight = 2; string status = 3; bool enabled = 4;
//	                    string owner = 5; string reason = 6; google.protobuf.Timestamp until = 7; }
//
// Metadata is JSON, as in snapshots.
const (
	changesEpoch   = 1
	changesRealm   = 2
	changesService = 3
	changesCount   = 4
	changesEach    = 5

	changeRevision  = 1
	changePrevious  = 2
	changeInstance  = 3
	changeCondition = 4
	changeGone      = 5
	changeMeta      = 6

	conditionID      = 1
	conditionWeight  = 2
	conditionStatus  = 3
	conditionEnabled = 4
	conditionOwner   = 5
	conditionReason  = 6
	conditionUntil   = 7
)

// changesMark is the field that packed changes begin with. It tells them from
// answers of the registry, whose subject a requester may choose, as a header
// would; but that costs each listener more than to read the change.
const changesMark = "\x79fairlead"

// IsPackedChanges tells whether the body of a message without headers is that
// of changes.
func IsPackedChanges(body []byte) bool {
	return len(body) > len(changesMark) && string(body[:len(changesMark)]) == changesMark
}

// leastChange is the least bytes of a change, see [leastInstance].
const leastChange = 4

// PackChanges returns the body of a message of changes.
func PackChanges(c *registry.Changes) []byte {
	b := make([]byte, 0, 128+64*len(c.Changes))
	b = append(b, changesMark...)
	b = appendText(b, changesEpoch, c.Epoch)
	b = appendText(b, changesRealm, c.Realm)
	b = appendText(b, changesService, c.Service)
	b = appendNumber(b, changesCount, uint64(len(c.Changes)))
	var one, inner []byte
	for i := range c.Changes {
		one, inner = appendChange(one[:0], inner, &c.Changes[i])
		b = appendMessage(b, changesEach, one)
	}
	return b
}

// appendChange uses and returns room for what is inside a change.
func appendChange(b, room []byte, c *registry.Change) (change, inner []byte) {
	b = appendNumber(b, changeRevision, c.Revision)
	b = appendNumber(b, changePrevious, c.Previous)
	switch {
	case c.Instance != nil:
		room = appendInstance(room[:0], &nothing, c.Instance)
		b = appendMessage(b, changeInstance, room)
	case c.Condition != nil:
		room = appendCondition(room[:0], c.Condition)
		b = appendMessage(b, changeCondition, room)
	case c.Meta != nil:
		// A struct of strings, numbers and durations always encodes.
		text, _ := json.Marshal(c.Meta)
		b = appendMessage(b, changeMeta, text)
	default:
		b = appendText(b, changeGone, c.Gone)
	}
	return b, room
}

func appendCondition(b []byte, c *registry.Condition) []byte {
	b = appendText(b, conditionID, c.ID)
	b = appendNumber(b, conditionWeight, uint64(c.Weight))
	b = appendText(b, conditionStatus, string(c.Status))
	if c.Enabled {
		b = appendNumber(b, conditionEnabled, 1)
	}
	b = appendText(b, conditionOwner, c.Owner)
	b = appendText(b, conditionReason, c.Reason)
	return appendOtherTime(b, conditionUntil, time.Time{}, c.Until)
}

// UnpackChanges decodes the body of a message of packed changes, which nobody may change afterwards: names and ids are pieces of it. What a table
// takes over of a change is not, so that no table keeps messages in memory.
func UnpackChanges(body []byte) (registry.Changes, error) {
	c, err := new(ChangesReader).Unpack(body)
	if err != nil {
		return registry.Changes{}, err
	}
	return *c, nil
}

// A ChangesReader is UnpackChanges for one message after the other, all in the
// same room: the garbage of a thousand changes a second costs a listener more
// than to read them. The zero value is ready; it belongs to one goroutine.
type ChangesReader struct {
	unpacker
	read       registry.Changes
	most       uint64 // changes
	conditions []registry.Condition
	// The last texts: whoever changes many instances says the same of all.
	owner, reason string
}

// roomMost bounds the room, in changes, that is kept for the next message.
const roomMost = 1024

// metadataShared bounds the metadata that is kept for instances of later
// messages to share: a map of its own takes more than the rest of an instance.
const metadataShared = 64

// Unpack decodes a message's body. What it returns is good until the next call.
func (u *ChangesReader) Unpack(body []byte) (*registry.Changes, error) {
	u.clear()
	u.changes(unsafe.String(unsafe.SliceData(body), len(body)))
	if u.err != nil {
		return nil, fmt.Errorf("unpack changes: %w", u.err)
	}
	return &u.read, nil
}

func (u *ChangesReader) clear() {
	room, conditions := u.read.Changes, u.conditions
	if cap(room) > roomMost {
		room, conditions = nil, nil
	}
	clear(room)
	clear(conditions)
	u.unpacker, u.most = unpacker{metadata: u.metadata}, 0
	if len(u.metadata) > metadataShared {
		u.metadata = nil
	}
	u.read, u.conditions = registry.Changes{Changes: room[:0]}, conditions[:0]
}

func (u *ChangesReader) changes(text string) {
	c := &u.read
	f := fields{rest: text}
	for one, ok := f.next(); ok && u.err == nil; one, ok = f.next() {
		switch one.id {
		case changesEpoch:
			c.Epoch = one.text
		case changesRealm:
			c.Realm = one.text
		case changesService:
			c.Service = one.text
		case changesCount:
			u.most = min(one.number, uint64(len(f.rest)/leastChange)+1)
			c.Changes = slices.Grow(c.Changes, int(u.most))
		case changesEach:
			c.Changes = append(c.Changes, u.change(c.Service, one.text))
		}
	}
	u.end(&f)
}

func (u *ChangesReader) change(service, text string) (c registry.Change) {
	f := fields{rest: text}
	for one, ok := f.next(); ok && u.err == nil; one, ok = f.next() {
		switch one.id {
		case changeRevision:
			c.Revision = one.number
		case changePrevious:
			c.Previous = one.number
		case changeInstance:
			c.Instance = u.whole(service, one.text)
		case changeCondition:
			c.Condition = u.condition(one.text)
		case changeGone:
			c.Gone = one.text
		case changeMeta:
			c.Meta = &registry.Meta{}
			u.meta(one.text, c.Meta)
		}
	}
	u.end(&f)
	return c
}

func (u *ChangesReader) whole(service, text string) *registry.Instance {
	if u.metadata == nil {
		u.metadata = map[string]map[string]string{}
	}
	in := &registry.Instance{Service: service}
	u.instance(strings.Clone(text), in)
	return in
}

func (u *ChangesReader) condition(text string) *registry.Condition {
	if len(u.conditions) == 0 {
		u.conditions = slices.Grow(u.conditions, int(u.most))
	}
	u.conditions = append(u.conditions, registry.Condition{})
	c := &u.conditions[len(u.conditions)-1]
	f := fields{rest: text}
	for one, ok := f.next(); ok; one, ok = f.next() {
		switch one.id {
		case conditionID:
			c.ID = one.text
		case conditionWeight:
			c.Weight = int(one.number)
		case conditionStatus:
			c.Status = statusOf(one.text)
		case conditionEnabled:
			c.Enabled = one.number != 0
		case conditionOwner:
			c.Owner = again(&u.owner, one.text)
		case conditionReason:
			c.Reason = again(&u.reason, one.text)
		case conditionUntil:
			c.Until = u.time(one.text)
		}
	}
	u.end(&f)
	return c
}

// again returns a copy of a text, the last one if it is the same.
func again(last *string, text string) string {
	if *last != text {
		*last = strings.Clone(text)
	}
	return *last
}

func statusOf(text string) registry.Status {
	for _, known := range [...]registry.Status{registry.Passing, registry.Warning, registry.Critical, registry.Draining, registry.Suspect} {
		if string(known) == text {
			return known
		}
	}
	return registry.Status(strings.Clone(text))
}
