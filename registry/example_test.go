package registry_test

import (
	"fmt"

	"fairlead.dev/registry"
)

func ExampleTable() {
	table := registry.NewTable("local", "3f9c").WithService("identity", 7, []registry.Instance{
		{Service: "identity", ID: "host001-5000", Host: "10.0.0.7", Port: 5000, Status: registry.Passing, Enabled: true},
		{Service: "identity", ID: "host002-5000", Host: "10.0.0.8", Port: 5000, Status: registry.Passing},
	})
	candidates, err := table.Service("identity").Candidates()
	fmt.Println(len(candidates), candidates[0].Addr(), err)
	// Output: 1 10.0.0.7:5000 <nil>
}

func ExampleDecodeRegistration() {
	_, err := registry.DecodeRegistration([]byte(`{"host":"10.0.0.7","port":70000}`))
	fmt.Println(err)
	// Output: port: must be between 1 and 65535, got 70000
}
