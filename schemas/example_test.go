package schemas_test

import (
	"encoding/json"
	"fmt"

	"fairlead.dev/schemas"
)

// A writer fills in a struct, which knows where it belongs.
func ExampleData() {
	data := schemas.InstanceEvicted{
		AboutInstance: schemas.AboutInstance{
			AboutService: schemas.AboutService{Realm: "local", Service: "identity"},
			Instance:     "host001-5000",
			Revision:     schemas.Revision{Epoch: "3f9c", Sequence: 17},
		},
		Cause: "connection refused",
	}
	realm, service := data.Scope()
	text, _ := json.Marshal(data)
	fmt.Println(realm, service, data.EventType().Token())
	fmt.Println(string(text))
	// Output:
	// local identity instance.evicted
	// {"realm":"local","service":"identity","instance":"host001-5000","revision":{"epoch":"3f9c","sequence":17},"cause":"connection refused"}
}

// A reader asks the event's type for a value to decode into.
func ExampleType_NewData() {
	data, err := schemas.Type("dev.fairlead.instance.evicted.v1").NewData()
	if err != nil {
		fmt.Println(err)
		return
	}
	text := `{"realm":"local","service":"identity","instance":"host001-5000","revision":{"epoch":"3f9c","sequence":17},"cause":"no answer"}`
	if err := json.Unmarshal([]byte(text), data); err != nil {
		fmt.Println(err)
		return
	}
	if evicted, ok := data.(*schemas.InstanceEvicted); ok {
		fmt.Println(evicted.Instance, evicted.Cause)
	}
	// Output: host001-5000 no answer
}
