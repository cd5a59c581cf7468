package registrar_test

import (
	"context"
	"fmt"

	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
	"fairlead.dev/registry/registrar"
)

func Example() {
	ctx := context.Background()
	reg := memory.New(memory.Options{})
	defer reg.Close()

	r, err := registrar.New(registrar.Options{
		Atlas: reg, Beater: reg, OnConnect: reg.OnConnect,
		Key:          registry.Key{Realm: "local", Service: "identity", Instance: "host001-5000"},
		Registration: registry.Registration{Host: "127.0.0.1", Port: 5000},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Start()
	fmt.Println(r.Registered(ctx), reg.Table("local").Len())
	fmt.Println(r.Drain(ctx), reg.Table("local").Service("identity").Instances()[0].Status)
	fmt.Println(r.Stop(ctx), reg.Table("local").Len())
	// Output:
	// <nil> 1
	// <nil> draining
	// <nil> 0
}
