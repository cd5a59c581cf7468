package bus_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"

	"fairlead.dev/bus"
)

func newEvent(id string) event.Event {
	e := event.New()
	e.SetID(id)
	e.SetSource("/local/identity")
	e.SetType("dev.fairlead.test.v1")
	return e
}

func fullEvent(t testing.TB) event.Event {
	t.Helper()
	e := newEvent("Euro € 😀 100% \"quoted\"")
	e.SetSubject("users/1 of 2")
	e.SetTime(time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC))
	e.SetDataSchema("https://fairlead.dev/schemas/test.json")
	e.SetExtension("attempt", 3)
	e.SetExtension("urgent", true)
	if err := e.SetData("application/json", map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestBinaryHeaders(t *testing.T) {
	msg, err := bus.EncodeEvent("events.v1.local.identity.x", fullEvent(t))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ce-specversion":     "1.0",
		"ce-id":              "Euro%20%E2%82%AC%20%F0%9F%98%80%20100%25%20%22quoted%22",
		"ce-source":          "/local/identity",
		"ce-type":            "dev.fairlead.test.v1",
		"ce-subject":         "users/1%20of%202",
		"ce-time":            "2024-05-06T07:08:09.123456789Z",
		"ce-dataschema":      "https://fairlead.dev/schemas/test.json",
		"ce-datacontenttype": "application/json",
		"ce-attempt":         "3",
		"ce-urgent":          "true",
		"Nats-Msg-Id":        "/local/identity Euro%20%E2%82%AC%20%F0%9F%98%80%20100%25%20%22quoted%22",
	}
	for name, value := range want {
		if got := msg.Header.Get(name); got != value {
			t.Errorf("%s: got %q, expected %q", name, got, value)
		}
	}
	if len(msg.Header) != len(want) || string(msg.Data) != `{"a":1}` {
		t.Errorf("headers %v, data %s", msg.Header, msg.Data)
	}
}

func TestRoundTrip(t *testing.T) {
	modes := map[string]func(string, event.Event) (*nats.Msg, error){
		"binary": bus.EncodeEvent, "structured": bus.EncodeStructuredEvent,
	}
	events := map[string]event.Event{"least": newEvent("1"), "full": fullEvent(t), "bytes": bytesEvent(t)}
	for mode, encode := range modes {
		for name, want := range events {
			t.Run(mode+" "+name, func(t *testing.T) {
				msg, err := encode("s", want)
				if err != nil {
					t.Fatal(err)
				}
				got, err := bus.DecodeEvent(msg)
				if err != nil {
					t.Fatal(err)
				}
				assertSame(t, got, want)
			})
		}
	}
}

func bytesEvent(t *testing.T) event.Event {
	t.Helper()
	e := newEvent("bytes")
	if err := e.SetData("application/octet-stream", []byte{0, 0xff, 0xfe}); err != nil {
		t.Fatal(err)
	}
	return e
}

// assertSame compares what readers see; extensions by their text, as binary
// mode has no types.
func assertSame(t *testing.T, got, want event.Event) {
	t.Helper()
	if got.ID() != want.ID() || got.Source() != want.Source() || got.Type() != want.Type() ||
		got.Subject() != want.Subject() || !got.Time().Equal(want.Time()) || got.DataSchema() != want.DataSchema() ||
		got.DataContentType() != want.DataContentType() || string(got.Data()) != string(want.Data()) ||
		len(got.Extensions()) != len(want.Extensions()) {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}
}

func TestLenientReading(t *testing.T) {
	required := nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/s"}, "ce-type": {"t"}}
	with := func(name, value string) nats.Header {
		header := nats.Header{name: {value}}
		for k, v := range required {
			header[k] = v
		}
		return header
	}
	structured := `{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"x"}`
	cases := map[string]struct {
		header nats.Header
		data   string
		get    func(event.Event) string
		want   string
	}{
		"header names in any case":  {with("CE-Subject", "x"), "", event.Event.Subject, "x"},
		"content type as in HTTP":   {with("Content-Type", "text/plain"), "x", event.Event.DataContentType, "text/plain"},
		"unencoded text":            {with("ce-subject", "a b"), "", event.Event.Subject, "a b"},
		"percent sign by itself":    {with("ce-subject", "100%"), "", event.Event.Subject, "100%"},
		"lower-case codes":          {with("ce-subject", "%e2%82%ac"), "", event.Event.Subject, "€"},
		"needless codes":            {with("ce-subject", "%41"), "", event.Event.Subject, "A"},
		"quoted text":               {with("ce-subject", `"a \"b\""`), "", event.Event.Subject, `a "b"`},
		"headers of other matters":  {with("ce-not-a-name", "x"), "", event.Event.ID, "1"},
		"structured, no type":       {nil, structured, event.Event.Subject, "x"},
		"structured, with charset":  {nats.Header{"content-type": {"Application/CloudEvents+json; charset=utf-8"}}, structured, event.Event.Subject, "x"},
		"data that looks like such": {required, structured, event.Event.Subject, ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			e, err := bus.DecodeEvent(&nats.Msg{Header: test.header, Data: []byte(test.data)})
			if err != nil {
				t.Fatal(err)
			}
			if got := test.get(e); got != test.want {
				t.Errorf("got %q, expected %q", got, test.want)
			}
		})
	}
}

func TestWhatIsNoEvent(t *testing.T) {
	header := func(pairs ...string) nats.Header {
		h := nats.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h[pairs[i]] = []string{pairs[i+1]}
		}
		return h
	}
	cases := map[string]struct {
		header nats.Header
		data   string
		names  string // in the error
	}{
		"nothing":              {nil, "", "specversion"},
		"another message":      {nil, `{"stream":"EVENTS","seq":1}`, "specversion"},
		"future version":       {header("ce-specversion", "2.0"), "", "specversion"},
		"no id":                {header("ce-specversion", "1.0", "ce-source", "/s", "ce-type", "t"), "", "id"},
		"no source":            {header("ce-specversion", "1.0", "ce-id", "1", "ce-type", "t"), "", "source"},
		"wrong time":           {header("ce-specversion", "1.0", "ce-time", "yesterday"), "", "time"},
		"no UTF-8":             {header("ce-specversion", "1.0", "ce-id", "%C0%A0"), "", "id"},
		"structured, no UTF-8": {nil, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\xcd\"}", "type"},
		"structured, torn":     {header("Content-Type", "application/cloudevents+json"), `{"specversion"`, "decode event"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := bus.DecodeEvent(&nats.Msg{Header: test.header, Data: []byte(test.data)})
			if err == nil || !strings.Contains(err.Error(), test.names) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, expected one line naming %s", err, test.names)
			}
		})
	}
}

func TestInvalidEventsAreNotEncoded(t *testing.T) {
	incomplete := event.New()
	for name, encode := range map[string]func(string, event.Event) (*nats.Msg, error){
		"binary": bus.EncodeEvent, "structured": bus.EncodeStructuredEvent,
	} {
		if _, err := encode("s", incomplete); err == nil || !strings.Contains(err.Error(), "id") {
			t.Errorf("%s: got %v, expected an error naming id", name, err)
		}
	}
}

// What can be read can be written, and reads the same again.
func FuzzDecodeEvent(f *testing.F) {
	f.Add("ce-subject", "Euro%20%E2%82%AC", "{}", true)
	f.Add("Content-Type", "application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":[1]}}`, false)
	f.Add("ce-time", "2024-05-06T07:08:09Z", "\xff", true)
	f.Add("ce-specversion", "0.3", "x", true)
	f.Add("Content-Type", "application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AP8="}`, false)
	f.Add("ce-empty", "", "", true)
	f.Add("", "", "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\xcd\"}", false)
	f.Add("", "", `{"specversion":"1.0","id":"\ud800","source":"/s","type":"t"}`, false)
	f.Fuzz(func(t *testing.T, name, value, data string, required bool) {
		header := nats.Header{}
		if required {
			header = nats.Header{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/s"}, "ce-type": {"t"}}
		}
		header[name] = []string{value}
		first, err := bus.DecodeEvent(&nats.Msg{Header: header, Data: []byte(data)})
		if err != nil {
			return
		}
		msg, err := bus.EncodeEvent("s", first)
		if err != nil {
			t.Fatalf("read but not written: %v\n%s", err, first)
		}
		again, err := bus.DecodeEvent(msg)
		if err != nil {
			t.Fatalf("written but not read: %v\n%s", err, first)
		}
		assertSame(t, again, first)
	})
}

func TestStructuredPayloadIsJSON(t *testing.T) {
	msg, err := bus.EncodeStructuredEvent("s", fullEvent(t))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(msg.Data, &got); err != nil || got["specversion"] != "1.0" {
		t.Errorf("%s: %v", msg.Data, err)
	}
	if got := msg.Header.Get("Content-Type"); got != "application/cloudevents+json" {
		t.Errorf("content type %q", got)
	}
}
