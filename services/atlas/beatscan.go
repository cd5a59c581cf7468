package atlas

import (
	"bytes"
	"encoding/json"
	"strconv"

	"fairlead.dev/registry/protocol"
)

// scanned is a heartbeat's message whose texts lie in the bytes it was read
// from, so that reading one allocates nothing.
type scanned struct {
	// service and instance are there where it is one of many.
	service, instance          []byte
	incarnation, token, status []byte
	inFlight                   int
	load                       float64
}

// scanBeat reads a heartbeat. Nearly all are objects of plain texts and
// numbers, as our own clients write them; any other is left to the JSON
// library.
func scanBeat(data []byte) (scanned, bool) {
	if b, ok := scanPlain(data); ok {
		return b, true
	}
	var m protocol.HeartbeatMessage
	if json.Unmarshal(data, &m) != nil {
		return scanned{}, false
	}
	return scannedFrom(m), true
}

func scannedFrom(m protocol.HeartbeatMessage) scanned {
	return scanned{
		incarnation: []byte(m.Incarnation), token: []byte(m.Token), status: []byte(m.Status),
		inFlight: m.InFlight, load: m.Load,
	}
}

func scanPlain(data []byte) (b scanned, ok bool) {
	b, rest, ok := scanObject(data)
	return b, ok && len(rest) == 0
}

// scanObject reads one heartbeat and returns what comes after it.
func scanObject(data []byte) (b scanned, rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(data, []byte(`{"`))
	for ok {
		var name, value []byte
		if name, rest, ok = bytes.Cut(rest, []byte(`":`)); !ok || !b.known(name) {
			return b, nil, false
		}
		if value, rest, ok = cutValue(rest); !ok || !b.set(name, value) {
			return b, nil, false
		}
		if len(rest) > 0 && rest[0] == '}' {
			return b, rest[1:], true
		}
		rest, ok = bytes.CutPrefix(rest, []byte(`,"`))
	}
	return b, nil, false
}

// known tells whether a name is a field that has no value yet.
func (b *scanned) known(name []byte) bool {
	switch string(name) {
	case "incarnation":
		return b.incarnation == nil
	case "token":
		return b.token == nil
	case "status":
		return b.status == nil
	case "service":
		return b.service == nil
	case "instance":
		return b.instance == nil
	}
	return string(name) == "in_flight" || string(name) == "load"
}

// cutValue takes a text without escapes, with its quotes, or a number.
func cutValue(data []byte) (value, rest []byte, ok bool) {
	end := bytes.IndexAny(data, ",}")
	if len(data) > 0 && data[0] == '"' {
		end = bytes.IndexByte(data[1:], '"') + 2
	}
	if end < 1 || end == 1 && data[0] == '"' {
		return nil, nil, false
	}
	return data[:end], data[end:], true
}

func (b *scanned) set(name, value []byte) (ok bool) {
	var err error
	switch string(name) {
	case "in_flight":
		if !isNumber(value) {
			return false
		}
		b.inFlight, err = strconv.Atoi(string(value))
	case "load":
		if !isNumber(value) {
			return false
		}
		b.load, err = strconv.ParseFloat(string(value), 64)
	case "incarnation":
		b.incarnation, ok = text(value)
		return ok
	case "token":
		b.token, ok = text(value)
		return ok
	case "service":
		b.service, ok = text(value)
		return ok
	case "instance":
		b.instance, ok = text(value)
		return ok
	default:
		b.status, ok = text(value)
		return ok
	}
	return err == nil
}

// isNumber leaves out what Go reads and JSON does not, as "+1" and "0x1".
func isNumber(value []byte) bool { return value[0] >= '0' && value[0] <= '9' && json.Valid(value) }

// text takes the quotes off, where there is nothing in between that JSON
// treats specially.
func text(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	inner := value[1 : len(value)-1]
	for _, c := range inner {
		if c < ' ' || c == '\\' || c >= 0x80 {
			return nil, false
		}
	}
	return inner, true
}
