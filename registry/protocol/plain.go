package protocol

import (
	"encoding/json"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol/plainjson"
)

// ReadRegister reads a registration's request. Nearly all are plain; the JSON
// library reads the others, and has the say about what is wrong.
func ReadRegister(data []byte) (RegisterRequest, error) {
	m := RegisterRequest{Registration: registry.Registration{}.WithDefaults()}
	if m.readPlain(data) {
		return m, nil
	}
	m = RegisterRequest{Registration: registry.Registration{}.WithDefaults()}
	return m, registry.DecodeLenient(data, &m)
}

func (m *RegisterRequest) readPlain(data []byte) bool {
	r := plainjson.Reader{Rest: data}
	r.Object(func(name []byte) {
		switch string(name) {
		case "registration":
			readRegistration(&r, &m.Registration)
		case "incarnation":
			m.Incarnation = string(r.Text())
		case "token":
			m.Token = string(r.Text())
		case "via":
			m.Via = string(r.Text())
		default:
			r.Bad = true
		}
	})
	return r.Done()
}

func readRegistration(r *plainjson.Reader, into *registry.Registration) {
	r.Object(func(name []byte) {
		switch string(name) {
		case "host":
			into.Host = string(r.Text())
		case "port":
			into.Port = r.Int()
		case "scheme":
			into.Scheme = string(r.Text())
		case "health":
			into.Health = string(r.Text())
		case "version":
			into.Version = string(r.Text())
		case "zone":
			into.Zone = string(r.Text())
		case "weight":
			into.Weight = r.Int()
		case "metadata":
			r.Bad = r.Bad || into.Metadata != nil // the library would merge them
			into.Metadata = r.Pairs()
		default:
			r.Bad = true
		}
	})
}

// ReadLeaseReply reads the answer to a registration.
func ReadLeaseReply(data []byte) (LeaseReply, error) {
	var m LeaseReply
	if m.readPlain(data) {
		return m, nil
	}
	m = LeaseReply{}
	return m, json.Unmarshal(data, &m)
}

func (m *LeaseReply) readPlain(data []byte) bool {
	r := plainjson.Reader{Rest: data}
	r.Object(func(name []byte) {
		switch string(name) {
		case "incarnation":
			m.Incarnation = string(r.Text())
		case "token":
			m.Token = string(r.Text())
		case "revision":
			readRevision(&r, &m.Revision)
		case "heartbeat_ms":
			m.HeartbeatMS = int64(r.Int())
		case "lease_ms":
			m.LeaseMS = int64(r.Int())
		case "beats":
			m.Beats = r.Int()
		default:
			r.Bad = true
		}
	})
	return r.Done()
}

func readRevision(r *plainjson.Reader, into *registry.Revision) {
	r.Object(func(name []byte) {
		switch string(name) {
		case "epoch":
			into.Epoch = string(r.Text())
		case "sequence":
			into.Sequence = r.Uint()
		default:
			r.Bad = true
		}
	})
}
