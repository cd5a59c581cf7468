package protocol

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"

	"fairlead.dev/registry"
)

// Fields of the packed form, which is that of Protocol Buffers: readers skip
// numbers they do not know, and any language has a library for it.
//
//	message Part     { repeated Service services = 1; }
//	message Service  { string name = 1; uint64 revision = 2; uint64 count = 3;
//	                   repeated Instance instances = 4; bytes meta = 5; uint64 meta_revision = 6; }
//	message Instance { string id = 1; string scheme = 2; string host = 3; uint64 port = 4;
//	                   string health = 5; string version = 6; string zone = 7; uint64 weight = 8;
//	                   Metadata metadata = 9; string incarnation = 10;
//	                   string status = 11; bool enabled = 12; string owner = 13; string reason = 14;
//	                   google.protobuf.Timestamp until = 15, since = 16; uint64 revision = 17; }
//
//	message Metadata { map<string, string> pairs = 1; }
//
// A service of many instances goes on in the next part under the same name;
// count says how many a part has. What is known of it as a whole is in the
// first of its parts, as JSON: few services have it, and it grows. Times that are not set are left out.
const (
	partService = 1

	serviceName      = 1
	serviceRevision  = 2
	serviceCount     = 3
	serviceInstances = 4
	serviceMeta      = 5
	serviceMetaSince = 6

	instanceID          = 1
	instanceScheme      = 2
	instanceHost        = 3
	instancePort        = 4
	instanceHealth      = 5
	instanceVersion     = 6
	instanceZone        = 7
	instanceWeight      = 8
	instanceMetadata    = 9
	instanceIncarnation = 10
	instanceStatus      = 11
	instanceEnabled     = 12
	instanceOwner       = 13
	instanceReason      = 14
	instanceUntil       = 15
	instanceSince       = 16
	instanceRevision    = 17

	metadataPair = 1

	pairKey   = 1
	pairValue = 2

	timeSeconds = 1
	timeNanos   = 2
)

// PackServices returns the bodies of a snapshot's parts, at least one, each an
// S2 block that can be unpacked by itself.
func PackServices(services []registry.ServiceSnapshot) [][]byte {
	var p packer
	for _, s := range services {
		p.add(s)
	}
	if len(p.part) > 0 || p.bodies == nil {
		p.endPart()
	}
	return p.bodies
}

// A packer fills one part after the other.
type packer struct {
	bodies    [][]byte
	part      []byte
	instances []byte // of the service under way
	count     uint64
	described bool // its metadata is in a part already
	one       []byte
}

func (p *packer) add(s registry.ServiceSnapshot) {
	p.described = false
	for i := range s.Instances {
		p.one = appendInstance(p.one[:0], &s.Instances[i])
		if p.count > 0 && len(p.part)+len(p.instances)+len(p.one) > PartSize-1024 {
			p.endService(s)
			p.endPart()
		}
		p.instances = appendMessage(p.instances, serviceInstances, p.one)
		p.count++
	}
	p.endService(s)
}

func (p *packer) endService(s registry.ServiceSnapshot) {
	var room [128]byte
	head := appendText(room[:0], serviceName, s.Name)
	head = appendNumber(head, serviceRevision, s.Revision)
	head = appendNumber(head, serviceCount, p.count)
	if !p.described {
		head = appendMeta(head, s)
	}
	if len(p.part) > 0 && len(p.part)+len(head)+len(p.instances) > PartSize {
		p.endPart()
	}
	p.part = appendTag(p.part, partService, wireBytes)
	p.part = binary.AppendUvarint(p.part, uint64(len(head)+len(p.instances)))
	p.part = append(append(p.part, head...), p.instances...)
	p.instances, p.count, p.described = p.instances[:0], 0, true
}

func appendMeta(b []byte, s registry.ServiceSnapshot) []byte {
	if !s.Meta.IsZero() {
		// A struct of strings, numbers and durations always encodes.
		text, _ := json.Marshal(s.Meta)
		b = appendMessage(b, serviceMeta, text)
	}
	return appendNumber(b, serviceMetaSince, s.MetaRevision)
}

func (p *packer) endPart() {
	p.bodies = append(p.bodies, s2.Encode(nil, p.part))
	p.part = p.part[:0]
}

func appendInstance(b []byte, in *registry.Instance) []byte {
	b = appendText(b, instanceID, in.ID)
	b = appendText(b, instanceScheme, in.Scheme)
	b = appendText(b, instanceHost, in.Host)
	b = appendNumber(b, instancePort, uint64(in.Port))
	b = appendText(b, instanceHealth, in.Health)
	b = appendText(b, instanceVersion, in.Version)
	b = appendText(b, instanceZone, in.Zone)
	b = appendNumber(b, instanceWeight, uint64(in.Weight))
	b = appendMetadata(b, in.Metadata)
	b = appendText(b, instanceIncarnation, in.Incarnation)
	b = appendText(b, instanceStatus, string(in.Status))
	if in.Enabled {
		b = appendNumber(b, instanceEnabled, 1)
	}
	b = appendText(b, instanceOwner, in.Owner)
	b = appendText(b, instanceReason, in.Reason)
	b = appendTime(b, instanceUntil, in.Until)
	b = appendTime(b, instanceSince, in.Since)
	return appendNumber(b, instanceRevision, in.Revision)
}

// appendMetadata keeps the keys in order, so that equal metadata is equal in
// its packed form.
func appendMetadata(b []byte, pairs map[string]string) []byte {
	if len(pairs) == 0 {
		return b
	}
	var keyRoom [8]string
	keys := slices.AppendSeq(keyRoom[:0], maps.Keys(pairs))
	slices.Sort(keys)
	var room, pairRoom [256]byte
	all := room[:0]
	for _, k := range keys {
		all = appendMessage(all, metadataPair, appendText(appendText(pairRoom[:0], pairKey, k), pairValue, pairs[k]))
	}
	return appendMessage(b, instanceMetadata, all)
}

func appendTime(b []byte, field int, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	var room [24]byte
	return appendMessage(b, field, appendNumber(appendNumber(room[:0], timeSeconds, uint64(t.Unix())), timeNanos, uint64(t.Nanosecond())))
}

const (
	wireNumber = 0
	wireFixed8 = 1
	wireBytes  = 2
	wireFixed4 = 5
)

func appendTag(b []byte, field, wire int) []byte {
	return binary.AppendUvarint(b, uint64(field<<3|wire))
}

// appendNumber and appendText leave out what is zero, as readers assume it.
func appendNumber(b []byte, field int, n uint64) []byte {
	if n == 0 {
		return b
	}
	return binary.AppendUvarint(appendTag(b, field, wireNumber), n)
}

func appendText(b []byte, field int, s string) []byte {
	if s == "" {
		return b
	}
	b = binary.AppendUvarint(appendTag(b, field, wireBytes), uint64(len(s)))
	return append(b, s...)
}

func appendMessage(b []byte, field int, m []byte) []byte {
	b = binary.AppendUvarint(appendTag(b, field, wireBytes), uint64(len(m)))
	return append(b, m...)
}
