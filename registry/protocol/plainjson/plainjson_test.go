package plainjson_test

import (
	"fmt"
	"testing"

	"fairlead.dev/registry/protocol/plainjson"
)

func Example() {
	var host string
	var port int
	r := plainjson.Reader{Rest: []byte(`{"host":"10.0.0.7","port":5000}`)}
	r.Object(func(name []byte) {
		switch string(name) {
		case "host":
			host = string(r.Text())
		case "port":
			port = r.Int()
		default:
			r.Bad = true
		}
	})
	fmt.Println(r.Done(), host, port)
	// Output: true 10.0.0.7 5000
}

func TestWhatIsNotPlainIsLeftAlone(t *testing.T) {
	for _, text := range []string{
		``, `{`, `}`, `{"`, `{"a"`, `{"a":`, `{"a":"b`, `{"a":"b"`, `{"a":"b",}`, `{,"a":"b"}`, ` {}`, `{} `, `{}}`,
		`{"a": "b"}`, `{"a":null}`, `{"a":"\n"}`, `{"a":"é"}`, `{"a":1}`, `{"a\u0041":"b"}`, `{"a":"b""c":"d"}`,
	} {
		r := plainjson.Reader{Rest: []byte(text)}
		if r.Pairs(); r.Done() {
			t.Errorf("%s was read", text)
		}
	}
	for _, text := range []string{`-1`, `01`, `1.5`, `1e3`, `"1"`, `+1`, `18446744073709551616`, ``} {
		r := plainjson.Reader{Rest: []byte(text + "}")}
		if n := r.Uint(); !r.Bad {
			t.Errorf("%s was read as %d", text, n)
		}
	}
}
