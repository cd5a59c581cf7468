package atlas

import (
	"encoding/json"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

var plainRequest = protocol.RegisterRequest{
	Registration: registry.Registration{
		Host: "10.0.0.7", Port: 5000, Scheme: "http", Health: "/health/ready", Version: "1.4.2", Zone: "a", Weight: 100,
		Metadata: map[string]string{"git": "0123456789abcdef", "team": "identity", "empty": ""},
	},
	Incarnation: "LIFE", Token: "SECRETSECRETSECRET", Via: "bridge",
}

// FuzzEncodeRecord holds what is written to what the library writes.
func FuzzEncodeRecord(f *testing.F) {
	f.Add("10.0.0.7", 5000, "git", "0123", 100, "LIFE", int64(1_700_000_000_123_456_789), uint64(17), false)
	f.Add("", 0, "", "", 0, "", int64(0), uint64(0), true)
	f.Add(`a"b`, -1, "é", "<&>", -5, "\x7f\xff\u2028", int64(-1), ^uint64(0), true)
	f.Fuzz(func(t *testing.T, host string, port int, key, value string, weight int, life string, at int64, client uint64, suspect bool) {
		r := &record{Registration: registry.Registration{Host: host, Port: port, Scheme: value, Weight: weight}}
		if key != "" {
			r.Metadata = map[string]string{key: value, value: key, "z": ""}
		}
		if life != "" {
			r.Atlas = atlasPart{Status: registry.Passing, Incarnation: life, Client: client, Suspect: suspect, RegisteredAt: time.Unix(0, at).UTC(), Server: host}
		}
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.encode(); string(got) != string(want) {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

func TestOurOwnRecordsTakeTheShortWay(t *testing.T) {
	r := newRecord(plainRequest, registry.Lease{Incarnation: "LIFE", Token: "SECRET"}, requester{user: "app", server: "NDABC", client: 7}, time.Now())
	if data, ok := r.encodePlain(); !ok {
		t.Errorf("%s was left to the library", data)
	}
}
