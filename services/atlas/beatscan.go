package atlas

import (
	"bytes"
	"encoding/json"
	"strconv"

	"fairlead.dev/registry/protocol"
	"fairlead.dev/registry/protocol/plainjson"
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
		if value, rest, ok = plainjson.Cut(rest); !ok || !b.set(name, value) {
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

func (b *scanned) set(name, value []byte) (ok bool) {
	var err error
	switch string(name) {
	case "in_flight":
		if !plainjson.IsNumber(value) {
			return false
		}
		b.inFlight, err = strconv.Atoi(string(value))
	case "load":
		if !plainjson.IsNumber(value) {
			return false
		}
		b.load, err = strconv.ParseFloat(string(value), 64)
	case "incarnation":
		b.incarnation, ok = plainjson.Unquote(value)
		return ok
	case "token":
		b.token, ok = plainjson.Unquote(value)
		return ok
	case "service":
		b.service, ok = plainjson.Unquote(value)
		return ok
	case "instance":
		b.instance, ok = plainjson.Unquote(value)
		return ok
	default:
		b.status, ok = plainjson.Unquote(value)
		return ok
	}
	return err == nil
}
