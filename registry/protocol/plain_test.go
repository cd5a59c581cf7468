package protocol

import (
	"encoding/json"
	"reflect"
	"testing"

	"fairlead.dev/registry"
)

var plainRequest = RegisterRequest{
	Registration: registry.Registration{
		Host: "10.0.0.7", Port: 5000, Scheme: "http", Health: "/health/ready", Version: "1.4.2", Zone: "a", Weight: 100,
		Metadata: map[string]string{"git": "0123456789abcdef", "team": "identity", "empty": ""},
	},
	Incarnation: "LIFE", Token: "SECRETSECRETSECRET", Via: "bridge",
}

// FuzzReadRegister holds the short way to what the JSON library reads.
func FuzzReadRegister(f *testing.F) {
	own, err := json.Marshal(plainRequest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	for _, seed := range []string{
		`{}`, `{"registration":{}}`, `{"registration":{"host":"a","port":1}}`, `{"registration":{"host":"a","metadata":{}}}`,
		`{"registration":{"port":01}}`, `{"registration":{"port":-1}}`, `{"registration":{"port":1.5}}`, `{"registration":{"port":1e3}}`,
		`{"registration":{"Host":"a"}}`, `{"registration":null}`, `{"registration":{"host":null}}`, `{"registration":{"host":"\u0041"}}`,
		`{"registration":{"metadata":{"a":"b","a":"c"}}}`, `{"registration":{"metadata":{"a":"b"},"metadata":{"c":"d"}}}`,
		`{"registration":{"metadata":{"a":1}}}`, `{"registration":{"metadata":{"a\"":"b"}}}`, `{"token":"a",}`, `{"token":"a"} `,
		`{,"token":"a"}`, `{"token":"a""via":"b"}`, `{"token":"a"}}`, `{"registration":{"port":99999999999999999999}}`, `{"other":1}`, `{"`, `{`, ``,
		`{"registration":{"host":"a"},"registration":{"port":2}}`, `{"token":"é"}`, "{\"token\":\"\xff\"}", `{"registration":{"port":}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := RegisterRequest{Registration: registry.Registration{}.WithDefaults()}
		if !got.readPlain(data) {
			return
		}
		want := RegisterRequest{Registration: registry.Registration{}.WithDefaults()}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q was read, the library says %v", data, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", data, got, want)
		}
	})
}

func TestOurOwnRegistrationsTakeTheShortWay(t *testing.T) {
	data, err := json.Marshal(plainRequest)
	if err != nil {
		t.Fatal(err)
	}
	var got RegisterRequest
	if !got.readPlain(data) || !reflect.DeepEqual(got, plainRequest) {
		t.Errorf("%s was read as %+v", data, got)
	}
}

// FuzzReadLeaseReply holds the short way to what the JSON library reads.
func FuzzReadLeaseReply(f *testing.F) {
	for _, seed := range []string{
		`{"incarnation":"LIFE","token":"SECRET","revision":{"epoch":"E","sequence":17},"heartbeat_ms":2000,"lease_ms":6000,"beats":128}`,
		`{}`, `{"revision":{}}`, `{"revision":null}`, `{"heartbeat_ms":9223372036854775808}`, `{"revision":{"sequence":18446744073709551615}}`,
		`{"revision":{"epoch":"a"},"revision":{"sequence":1}}`, `}`, `{"beats":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want LeaseReply
		if !got.readPlain(data) {
			return
		}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q was read, the library says %v", data, err)
		}
		if got != want {
			t.Errorf("%q: %+v, want %+v", data, got, want)
		}
	})
}

func TestOurOwnAnswersTakeTheShortWay(t *testing.T) {
	sent := NewLeaseReply(registry.Lease{Incarnation: "LIFE", Token: "SECRET", Revision: registry.Revision{Epoch: "E", Sequence: 17}, Every: 2e9, TTL: 6e9})
	data, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var got LeaseReply
	if !got.readPlain(data) || got != sent {
		t.Errorf("%s was read as %+v", data, got)
	}
}
