package protocol

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"fairlead.dev/registry"
)

// large returns a snapshot that does not compress well, so that it takes
// several parts.
func large(instances int) registry.Snapshot {
	random := rand.New(rand.NewPCG(1, 2))
	s := registry.Snapshot{Realm: "local", Revision: registry.Revision{Epoch: "e", Sequence: 9}}
	service := registry.ServiceSnapshot{Name: "identity", Revision: 9}
	for i := range instances {
		service.Instances = append(service.Instances, registry.Instance{
			Service: "identity", ID: fmt.Sprint("i", i), Host: fmt.Sprintf("%x", random.Uint64()),
			Version: fmt.Sprintf("%x%x%x%x", random.Uint64(), random.Uint64(), random.Uint64(), random.Uint64()),
		})
	}
	s.Services = []registry.ServiceSnapshot{service}
	return s
}

// encodings are both forms of a snapshot.
var encodings = map[string]func(*testing.T, registry.Snapshot) []Part{
	EncodingJSON: func(t *testing.T, s registry.Snapshot) []Part {
		parts, err := EncodeJSON(s)
		if err != nil {
			t.Fatal(err)
		}
		return parts
	},
	EncodingPacked: func(_ *testing.T, s registry.Snapshot) []Part {
		return PackedParts(s.Realm, s.Revision, PackServices(s.Services))
	},
}

func TestASnapshotSurvivesItsPartsInAnyOrder(t *testing.T) {
	s := large(12_000)
	for name, encode := range encodings {
		t.Run(name, func(t *testing.T) {
			parts := encode(t, s)
			if len(parts) < 3 {
				t.Fatalf("%d parts, expected several", len(parts))
			}
			rand.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			got := join(t, parts)
			if got.Revision != s.Revision || got.Realm != s.Realm || !reflect.DeepEqual(got.Services, s.Services) {
				t.Error("the snapshot changed on its way")
			}
		})
	}
}

func join(t *testing.T, parts []Part) registry.Snapshot {
	t.Helper()
	var j Joiner
	for i, p := range parts {
		if len(p.Body) > PartSize+1024 {
			t.Errorf("a part has %d bytes", len(p.Body))
		}
		complete, err := j.Add(p)
		if err != nil || complete != (i == len(parts)-1) {
			t.Fatalf("part %d: complete %v, %v", i, complete, err)
		}
	}
	s, err := j.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryFieldSurvivesPacking(t *testing.T) {
	s := registry.Snapshot{Realm: "local", Revision: registry.Revision{Epoch: "e", Sequence: 9}, Services: []registry.ServiceSnapshot{
		{Name: "empty", Revision: 3, Instances: []registry.Instance{}, Meta: registry.Meta{Owner: "ana", Tags: []string{"core"}}, MetaRevision: 3},
		{Name: "identity", Revision: 1 << 60, Instances: []registry.Instance{{
			Service: "identity", ID: "host001-5000", Scheme: "http", Host: "10.0.0.7", Port: 5000,
			Health: "/health/ready", Version: "1.4.2", Zone: "a", Weight: 100,
			Metadata: map[string]string{"git": "4f2a", "a": "", "": "b"}, Incarnation: "b1f0",
			Status: registry.Passing, Enabled: true, Owner: "ana", Reason: "broken disk",
			Until: time.Date(9999, 1, 31, 18, 0, 0, 1, time.UTC), Since: time.Date(1965, 1, 2, 3, 4, 5, 6000, time.UTC),
			Revision: 17,
		}, {Service: "identity", ID: "host002-5000"}, {
			Service: "identity", ID: "host003-5000", Since: time.Unix(0, 0).UTC(), Until: time.Unix(0, 1).UTC(), Enabled: true,
		}, {Service: "identity", ID: "host004-5000", Port: 1 << 40, Metadata: map[string]string{"git": "4f2a"}}}},
	}}
	if got := join(t, encodings[EncodingPacked](t, s)); !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v\nexpected %+v", got, s)
	}
}

// TestFieldsOfANewerVersionAreSkipped has fields of every kind that readers of
// this version do not know.
func TestFieldsOfANewerVersionAreSkipped(t *testing.T) {
	unknown := func(b []byte) []byte {
		b = appendNumber(appendText(b, 99, "new"), 98, 7)
		b = append(appendTag(b, 97, wireFixed8), 1, 2, 3, 4, 5, 6, 7, 8)
		return append(appendTag(b, 96, wireFixed4), 1, 2, 3, 4)
	}
	instance := appendText(unknown(nil), instanceID, "a")
	service := appendMessage(unknown(appendText(nil, serviceName, "identity")), serviceInstances, instance)
	got, err := UnpackServices(s2.Encode(nil, unknown(appendMessage(unknown(nil), partService, service))))
	if err != nil || len(got) != 1 || len(got[0].Instances) != 1 || got[0].Instances[0].ID != "a" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestInstancesShareEqualMetadata(t *testing.T) {
	one := registry.Instance{Service: "s", Metadata: map[string]string{"git": "4f2a", "team": "a"}}
	services, err := UnpackServices(PackServices([]registry.ServiceSnapshot{{Name: "s", Instances: []registry.Instance{one, one}}})[0])
	if err != nil {
		t.Fatal(err)
	}
	in := services[0].Instances
	if reflect.ValueOf(in[0].Metadata).Pointer() != reflect.ValueOf(in[1].Metadata).Pointer() {
		t.Error("two maps")
	}
}

func TestAnEmptySnapshotIsOnePart(t *testing.T) {
	for name, encode := range encodings {
		parts := encode(t, registry.Snapshot{Realm: "local", Revision: registry.Revision{Epoch: "e"}})
		if s := join(t, parts); len(parts) != 1 || s.Realm != "local" || s.Revision.Epoch != "e" {
			t.Errorf("%s: %d parts, %+v", name, len(parts), s)
		}
	}
}

func TestPartsThatDoNotFitAreRefused(t *testing.T) {
	part := func(number, encoding string) Part {
		return Part{Header: map[string][]string{PartHeader: {number}, EncodingHeader: {encoding}}}
	}
	packed := func(number, revision string) Part {
		p := part(number, EncodingPacked)
		p.Header[RevisionHeader] = []string{revision}
		return p
	}
	cases := []struct {
		name  string
		parts []Part
	}{
		{"no header", []Part{{}}},
		{"another encoding", []Part{part("1/1", "json")}},
		{"no number", []Part{part("", EncodingJSON)}},
		{"half a number", []Part{part("1", EncodingJSON)}},
		{"words", []Part{part("one/two", EncodingJSON)}},
		{"more than a number", []Part{part("1/2x", EncodingJSON)}},
		{"zero", []Part{part("0/2", EncodingJSON)}},
		{"beyond the last", []Part{part("3/2", EncodingJSON)}},
		{"negative", []Part{part("-1/-1", EncodingJSON)}},
		{"far too many", []Part{part("1/1000000", EncodingJSON)}},
		{"the same twice", []Part{part("1/2", EncodingJSON), part("1/2", EncodingJSON)}},
		{"packed without a revision", []Part{part("1/1", EncodingPacked)}},
		{"packed with half a revision", []Part{packed("1/1", "3f9c")}},
		{"of another revision", []Part{packed("1/2", "3f9c-1"), packed("2/2", "3f9c-2")}},
		{"of two encodings", []Part{packed("1/2", "3f9c-1"), part("2/2", EncodingJSON)}},
		{"of another answer", []Part{part("1/2", EncodingJSON), part("2/3", EncodingJSON)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var j Joiner
			var err error
			for i, p := range c.parts {
				if _, err = j.Add(p); err != nil && i < len(c.parts)-1 {
					t.Fatal(err)
				}
			}
			if err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestRubbishIsNoSnapshot(t *testing.T) {
	huge := s2.Encode(nil, []byte("{}"))
	huge[0], huge = 0xff, append([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, huge[1:]...) // claims 4 GiB
	for name, body := range map[string][]byte{
		"nothing": nil, "no S2": []byte("hello"), "no JSON": s2.Encode(nil, []byte("hello")), "a huge claim": huge,
	} {
		j := Joiner{bodies: [][]byte{body}}
		if s, err := j.Snapshot(); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
		if s, err := UnpackServices(body); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	var none Joiner
	if _, err := none.Snapshot(); err == nil {
		t.Error("no parts are a snapshot")
	}
}

func FuzzJoiner(f *testing.F) {
	f.Add("1/1", EncodingJSON, "", s2.Encode(nil, []byte(`{"realm":"local"}`)), "2/2")
	f.Add("1/2", EncodingJSON, "", []byte{0xff, 0x01}, "2/2")
	f.Add("1/2", EncodingPacked, "3f9c-1", PackServices(large(3).Services)[0], "2/2")
	f.Fuzz(func(t *testing.T, number, encoding, revision string, body []byte, second string) {
		if n, err := s2.DecodedLen(body); err == nil && n > 1<<20 {
			return // allowed, but no use here
		}
		var j Joiner
		defer j.Wait()
		for _, n := range []string{number, second} {
			_, _ = j.Add(Part{Header: map[string][]string{PartHeader: {n}, EncodingHeader: {encoding}, RevisionHeader: {revision}}, Body: body})
		}
		if s, err := j.Snapshot(); err == nil {
			registry.NewTable("local", "e").WithServices(s.Services)
		}
	})
}

// FuzzUnpack has no compression in the way: what is understood is packed and
// understood again.
func FuzzUnpack(f *testing.F) {
	body := PackServices(large(3).Services)[0]
	plain, _ := s2.Decode(nil, body)
	f.Add(plain)
	f.Add(appendNumber(nil, serviceCount, 1<<40))
	f.Fuzz(func(t *testing.T, plain []byte) {
		services, err := UnpackServices(s2.Encode(nil, plain))
		if err != nil {
			return
		}
		again, err := UnpackServices(PackServices(services)[0])
		if len(PackServices(services)) == 1 && (err != nil || len(again) != len(services)) {
			t.Errorf("%+v became %+v, %v", services, again, err)
		}
	})
}

// BenchmarkSnapshot packs and unpacks 10,000 instances.
func BenchmarkSnapshot(b *testing.B) {
	s := large(10_000)
	bodies := PackServices(s.Services)
	b.Run("pack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			PackServices(s.Services)
		}
	})
	b.Run("unpack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, body := range bodies {
				if _, err := UnpackServices(body); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func TestALeaseSurvivesTheWire(t *testing.T) {
	l := registry.Lease{Incarnation: "a", Token: "t", Revision: registry.Revision{Epoch: "e", Sequence: 7}, Every: 2e9, TTL: 6e9}
	if got := NewLeaseReply(l).Lease(); got != l {
		t.Errorf("got %+v", got)
	}
}
