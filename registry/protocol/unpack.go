package protocol

import (
	"encoding/json"
	"fmt"
	"time"
	"unsafe"

	"fairlead.dev/registry"
)

// UnpackServices decodes the body of one part. The texts of all instances are
// pieces of one, so a part costs few allocations; instances that have the same
// metadata share a map.
func UnpackServices(body []byte) ([]registry.ServiceSnapshot, error) {
	text, err := decompress(body, maxUnpacked)
	if err != nil {
		return nil, err
	}
	// Nobody else has the bytes, so nobody can change them.
	u := unpacker{metadata: map[string]map[string]string{}}
	services := u.part(unsafe.String(unsafe.SliceData(text), len(text)))
	if u.err != nil {
		return nil, fmt.Errorf("unpack snapshot: %w", u.err)
	}
	return services, nil
}

// UnpackParts decodes the bodies of all parts, in their order.
func UnpackParts(bodies [][]byte) ([]registry.ServiceSnapshot, error) {
	parts := make([][]registry.ServiceSnapshot, len(bodies))
	for i, body := range bodies {
		var err error
		if parts[i], err = UnpackServices(body); err != nil {
			return nil, err
		}
	}
	return joinServices(parts), nil
}

// An unpacker keeps the first thing that is wrong.
type unpacker struct {
	metadata map[string]map[string]string // by its packed form
	err      error
}

// end takes note of how reading a message ended.
func (u *unpacker) end(f *fields) {
	if f.damaged {
		u.err = errPacked
	}
}

func (u *unpacker) part(text string) (services []registry.ServiceSnapshot) {
	f := fields{rest: text}
	for one, ok := f.next(); ok && u.err == nil; one, ok = f.next() {
		if one.id == partService {
			services = append(services, u.service(one.text))
		}
	}
	u.end(&f)
	return services
}

// leastInstance is about the least bytes of an instance, so that what a forged
// count makes a reader allocate is in proportion to what was sent.
const leastInstance = 16

func (u *unpacker) service(text string) (s registry.ServiceSnapshot) {
	s.Instances = []registry.Instance{}
	// What instances have in common is copied from one to the next. On the
	// stack, because every pointer put in the heap costs a collection under way.
	var in registry.Instance
	f := fields{rest: text}
	for one, ok := f.next(); ok && u.err == nil; one, ok = f.next() {
		switch one.id {
		case serviceName:
			s.Name, in.Service = one.text, one.text
		case serviceRevision:
			s.Revision = one.number
		case serviceCount:
			s.Instances = make([]registry.Instance, 0, min(one.number, uint64(len(f.rest)/leastInstance)+1))
		case serviceInstances:
			u.instance(one.text, &in)
			s.Instances = append(s.Instances, in)
		case serviceMeta:
			u.meta(one.text, &s.Meta)
		case serviceMetaSince:
			s.MetaRevision = one.number
		}
	}
	u.end(&f)
	return s
}

func (u *unpacker) meta(text string, m *registry.Meta) {
	if err := json.Unmarshal([]byte(text), m); err != nil {
		u.err = fmt.Errorf("metadata: %w", err)
	}
}

// instance sets the fields of an instance that are there.
func (u *unpacker) instance(text string, in *registry.Instance) {
	f := fields{rest: text}
	for one, ok := f.next(); ok; one, ok = f.next() {
		switch one.id {
		case instanceID:
			in.ID = one.text
		case instanceScheme:
			in.Scheme = one.text
		case instanceHost:
			in.Host = one.text
		case instancePort:
			in.Port = int(one.number)
		case instanceHealth:
			in.Health = one.text
		case instanceVersion:
			in.Version = one.text
		case instanceZone:
			in.Zone = one.text
		case instanceWeight:
			in.Weight = int(one.number)
		case instanceMetadata:
			in.Metadata = u.pairs(one.text)
		case instanceIncarnation:
			in.Incarnation = one.text
		case instanceStatus:
			in.Status = registry.Status(one.text)
		case instanceEnabled:
			in.Enabled = one.number != 0
		case instanceOwner:
			in.Owner = one.text
		case instanceReason:
			in.Reason = one.text
		case instanceUntil:
			in.Until = u.time(one.text)
		case instanceSince:
			in.Since = u.time(one.text)
		case instanceRevision:
			in.Revision = one.number
		}
	}
	u.end(&f)
}

// pairs returns a map that instances share, which is why nobody may change it.
func (u *unpacker) pairs(text string) map[string]string {
	if text == "" {
		return nil
	}
	if shared, ok := u.metadata[text]; ok {
		return shared
	}
	pairs := map[string]string{}
	f := fields{rest: text}
	for one, ok := f.next(); ok; one, ok = f.next() {
		if one.id == metadataPair {
			key, value := u.pair(one.text)
			pairs[key] = value
		}
	}
	u.end(&f)
	u.metadata[text] = pairs
	return pairs
}

func (u *unpacker) pair(text string) (key, value string) {
	f := fields{rest: text}
	for one, ok := f.next(); ok; one, ok = f.next() {
		switch one.id {
		case pairKey:
			key = one.text
		case pairValue:
			value = one.text
		}
	}
	u.end(&f)
	return key, value
}

func (u *unpacker) time(text string) time.Time {
	var seconds, nanos int64
	set := false
	f := fields{rest: text}
	for one, ok := f.next(); ok; one, ok = f.next() {
		switch one.id {
		case timeSeconds:
			seconds, set = int64(one.number), true
		case timeNanos:
			nanos = int64(one.number)
		}
	}
	u.end(&f)
	if !set {
		return time.Time{}
	}
	return time.Unix(seconds, nanos).UTC()
}

// joinServices puts the parts' services in one list. A service that was cut
// goes on at the beginning of the next part.
func joinServices(parts [][]registry.ServiceSnapshot) []registry.ServiceSnapshot {
	all := []registry.ServiceSnapshot{}
	for _, part := range parts {
		for _, s := range part {
			if last := len(all) - 1; last >= 0 && all[last].Name == s.Name {
				all[last].Instances = append(all[last].Instances, s.Instances...)
				continue
			}
			all = append(all, s)
		}
	}
	return all
}
