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
//	message Instance { optional string id = 1; optional string scheme = 2; optional string host = 3;
//	                   optional uint64 port = 4; optional string health = 5; optional string version = 6;
//	                   optional string zone = 7; optional uint64 weight = 8; Metadata metadata = 9;
//	                   optional string incarnation = 10; optional string status = 11; optional bool enabled = 12;
//	                   Timestamp since = 13; optional uint64 revision = 14; Timestamp until = 15;
//	                   optional string owner = 16; optional string reason = 17; }
//
//	message Metadata  { map<string, string> pairs = 1; }
//	message Timestamp { optional int64 seconds = 1; int64 nanos = 2; }
//
// The copies of a service have most in common: a field that an instance lacks
// is as in the instance before it in the same message Service, and of the first
// one empty. So a field that becomes empty is there, with its empty value.
//
// A service of many instances goes on in the next part under the same name;
// count says how many a part has. What is known of it as a whole is in the
// first of its parts, as JSON: few services have it, and it grows.
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
	instanceSince       = 13
	instanceRevision    = 14
	instanceUntil       = 15
	instanceOwner       = 16
	instanceReason      = 17

	metadataPair = 1

	pairKey   = 1
	pairValue = 2

	timeSeconds = 1
	timeNanos   = 2
)

// PackServices returns the bodies of a snapshot's parts, at least one, each an
// S2 block that can be unpacked by itself.
func PackServices(services []registry.ServiceSnapshot) [][]byte {
	p := packer{before: &nothing}
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
	described bool               // its metadata is in a part already
	before    *registry.Instance // the one before it in the same message
	one       []byte
}

// nothing is what the first instance of a message is compared with.
var nothing registry.Instance

func (p *packer) add(s registry.ServiceSnapshot) {
	p.described = false
	for i := range s.Instances {
		in := &s.Instances[i]
		p.one = appendInstance(p.one[:0], p.before, in)
		if p.count > 0 && len(p.part)+len(p.instances)+len(p.one) > PartSize-1024 {
			p.endService(s)
			p.endPart()
			p.one = appendInstance(p.one[:0], p.before, in)
		}
		p.instances = appendMessage(p.instances, serviceInstances, p.one)
		p.count++
		p.before = in
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
	p.instances, p.count, p.described, p.before = p.instances[:0], 0, true, &nothing
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

// appendInstance appends what an instance has other than the one before it.
func appendInstance(b []byte, before, in *registry.Instance) []byte {
	b = appendOther(b, instanceID, before.ID, in.ID)
	b = appendOther(b, instanceScheme, before.Scheme, in.Scheme)
	b = appendOther(b, instanceHost, before.Host, in.Host)
	b = appendOtherNumber(b, instancePort, uint64(before.Port), uint64(in.Port))
	b = appendOther(b, instanceHealth, before.Health, in.Health)
	b = appendOther(b, instanceVersion, before.Version, in.Version)
	b = appendOther(b, instanceZone, before.Zone, in.Zone)
	b = appendOtherNumber(b, instanceWeight, uint64(before.Weight), uint64(in.Weight))
	b = appendOtherMetadata(b, before.Metadata, in.Metadata)
	b = appendOther(b, instanceIncarnation, before.Incarnation, in.Incarnation)
	b = appendOther(b, instanceStatus, string(before.Status), string(in.Status))
	b = appendOtherNumber(b, instanceEnabled, flag(before.Enabled), flag(in.Enabled))
	b = appendOtherTime(b, instanceSince, before.Since, in.Since)
	b = appendOtherNumber(b, instanceRevision, before.Revision, in.Revision)
	b = appendOtherTime(b, instanceUntil, before.Until, in.Until)
	b = appendOther(b, instanceOwner, before.Owner, in.Owner)
	return appendOther(b, instanceReason, before.Reason, in.Reason)
}

func appendOther(b []byte, field int, before, s string) []byte {
	if s == before {
		return b
	}
	b = binary.AppendUvarint(appendTag(b, field, wireBytes), uint64(len(s)))
	return append(b, s...)
}

func appendOtherNumber(b []byte, field int, before, n uint64) []byte {
	if n == before {
		return b
	}
	return binary.AppendUvarint(appendTag(b, field, wireNumber), n)
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// appendOtherMetadata keeps the keys in order, so that equal metadata is equal
// in its packed form.
func appendOtherMetadata(b []byte, before, pairs map[string]string) []byte {
	if maps.Equal(before, pairs) {
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

// appendOtherTime leaves a time that is not set without seconds.
func appendOtherTime(b []byte, field int, before, t time.Time) []byte {
	if t.Equal(before) {
		return b
	}
	var room [24]byte
	text := room[:0]
	if !t.IsZero() {
		text = binary.AppendUvarint(appendTag(text, timeSeconds, wireNumber), uint64(t.Unix()))
		text = appendNumber(text, timeNanos, uint64(t.Nanosecond()))
	}
	return appendMessage(b, field, text)
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
