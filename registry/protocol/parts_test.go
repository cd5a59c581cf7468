package protocol

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

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

func encode(t *testing.T, s registry.Snapshot) []Part {
	t.Helper()
	parts, err := EncodeSnapshot(s)
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func TestASnapshotSurvivesItsPartsInAnyOrder(t *testing.T) {
	s := large(12_000)
	parts := encode(t, s)
	if len(parts) < 3 {
		t.Fatalf("%d parts, expected several", len(parts))
	}
	rand.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	var j Joiner
	for i, p := range parts {
		if len(p.Body) > PartSize {
			t.Errorf("a part has %d bytes", len(p.Body))
		}
		complete, err := j.Add(p)
		if err != nil || complete != (i == len(parts)-1) {
			t.Fatalf("part %d: complete %v, %v", i, complete, err)
		}
	}
	got, err := j.Snapshot()
	if err != nil || got.Revision != s.Revision || !slices.EqualFunc(got.Services[0].Instances, s.Services[0].Instances, func(a, b registry.Instance) bool { return a.Hash() == b.Hash() }) {
		t.Errorf("the snapshot changed on its way: %v", err)
	}
}

func TestAnEmptySnapshotIsOnePart(t *testing.T) {
	parts := encode(t, registry.Snapshot{Realm: "local"})
	var j Joiner
	complete, err := j.Add(parts[0])
	if len(parts) != 1 || !complete || err != nil {
		t.Fatalf("%d parts, complete %v, %v", len(parts), complete, err)
	}
	if s, err := j.Snapshot(); err != nil || s.Realm != "local" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestPartsThatDoNotFitAreRefused(t *testing.T) {
	part := func(number, encoding string) Part {
		return Part{Header: map[string][]string{PartHeader: {number}, EncodingHeader: {encoding}}}
	}
	cases := []struct {
		name  string
		parts []Part
	}{
		{"no header", []Part{{}}},
		{"another encoding", []Part{part("1/1", "json")}},
		{"no number", []Part{part("", EncodingJSONS2)}},
		{"half a number", []Part{part("1", EncodingJSONS2)}},
		{"words", []Part{part("one/two", EncodingJSONS2)}},
		{"more than a number", []Part{part("1/2x", EncodingJSONS2)}},
		{"zero", []Part{part("0/2", EncodingJSONS2)}},
		{"beyond the last", []Part{part("3/2", EncodingJSONS2)}},
		{"negative", []Part{part("-1/-1", EncodingJSONS2)}},
		{"far too many", []Part{part("1/1000000", EncodingJSONS2)}},
		{"the same twice", []Part{part("1/2", EncodingJSONS2), part("1/2", EncodingJSONS2)}},
		{"of another answer", []Part{part("1/2", EncodingJSONS2), part("2/3", EncodingJSONS2)}},
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
	}
	var none Joiner
	if _, err := none.Snapshot(); err == nil {
		t.Error("no parts are a snapshot")
	}
}

func FuzzJoiner(f *testing.F) {
	f.Add("1/1", EncodingJSONS2, s2.Encode(nil, []byte(`{"realm":"local"}`)), "2/2")
	f.Add("1/2", EncodingJSONS2, []byte{0xff, 0x01}, "2/2")
	f.Fuzz(func(t *testing.T, number, encoding string, body []byte, second string) {
		if n, err := s2.DecodedLen(body); err == nil && n > 1<<20 {
			return // allowed, but no use here
		}
		var j Joiner
		for _, n := range []string{number, second} {
			_, _ = j.Add(Part{Header: map[string][]string{PartHeader: {n}, EncodingHeader: {encoding}}, Body: body})
		}
		if s, err := j.Snapshot(); err == nil {
			if _, err := json.Marshal(s); err != nil {
				t.Error(err)
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
