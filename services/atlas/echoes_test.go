package atlas

import (
	"reflect"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// TestARecordIsReadBackAsItWasWritten is what echoes rest on: a node takes what
// it wrote for what others will read.
func TestARecordIsReadBackAsItWasWritten(t *testing.T) {
	registrations := map[string]registry.Registration{
		"least":         {Host: "127.0.0.1", Port: 1},
		"all":           {Host: "a.example", Port: 65535, Scheme: "https", Health: "/health?x=<&>", Version: "1.0", Zone: "ä\u2028", Weight: 1, Metadata: map[string]string{"a": "\u2029<b>"}},
		"empty, no map": {Host: "::1", Port: 9, Metadata: map[string]string{}},
	}
	for name, r := range registrations {
		for _, via := range []string{"", "bridge"} {
			req := protocol.RegisterRequest{Registration: r.WithDefaults(), Via: via}
			wrote := newRecord(req, registry.Lease{Incarnation: "i", Token: "t"}, requester{user: "u", server: "s", client: 7}, time.Now())
			read, err := decodeRecord(wrote.encode())
			if err != nil || !reflect.DeepEqual(wrote, read) {
				t.Errorf("%s: wrote %+v, read %+v, %v", name, wrote, read, err)
			}
		}
	}
}

func TestOnlyTheSameBytesAreAnEcho(t *testing.T) {
	var e echoes
	wrote := &record{}
	e.expect("key", wrote, []byte("value"))
	if e.take("key", []byte("other")) != nil || e.take("elsewhere", []byte("value")) != nil {
		t.Error("something else was taken for an echo")
	}
	if e.take("key", []byte("value")) != wrote {
		t.Error("the echo was not known")
	}
	if e.take("key", []byte("value")) != nil {
		t.Error("two have the same record")
	}
	e.expect("key", wrote, []byte("value"))
	e.forget("key")
	if e.take("key", []byte("value")) != nil {
		t.Error("an echo was not forgotten")
	}
}
