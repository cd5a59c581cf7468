package atlas

import (
	"encoding/json"
	"testing"

	"fairlead.dev/registry/protocol"
)

// FuzzScanBeat holds the short way to what the JSON library reads.
func FuzzScanBeat(f *testing.F) {
	for _, seed := range []string{
		`{"incarnation":"LIFE","token":"SECRETSECRETSECRET","status":"passing","in_flight":3,"load":0.25}`,
		`{"incarnation":"a","token":"b"}`, `{}`, `{"token":"a\"b"}`, `{"load":00}`, `{"load":1.}`, `{"load":.5}`,
		`{"in_flight":1.5}`, `{"in_flight":-1}`, `{"status":"passing",}`, `{"token":"a","token":"b"}`, `{"Token":"a"}`,
		`{"token":null}`, ` {"token":"a"}`, `{"token":"a"} `, `{"token":""}`, `{"load":1e3}`, `{"token":"`, `{"token":a"}`,
		`{"in_flight":0123}`, `{"load":0.}`, `{"load":1.2.3}`, `{"status":"a","other":1}`, `{"load":}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := scanPlain(data)
		if !ok {
			return
		}
		var want protocol.HeartbeatMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q was read, the library says %v", data, err)
		}
		if string(got.incarnation) != want.Incarnation || string(got.token) != want.Token ||
			string(got.status) != string(want.Status) || got.inFlight != want.InFlight || got.load != want.Load {
			t.Errorf("%q: %+v, want %+v", data, got, want)
		}
	})
}

func TestOurOwnHeartbeatsTakeTheShortWay(t *testing.T) {
	data, err := json.Marshal(protocol.HeartbeatMessage{Incarnation: "LIFE", Token: "SECRET", Status: "passing", InFlight: 3, Load: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := scanPlain(data); !ok {
		t.Errorf("%s was left to the library", data)
	}
	if n := testing.AllocsPerRun(100, func() { scanBeat(data) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
