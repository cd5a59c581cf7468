package follow_test

import (
	"context"
	"fmt"

	"fairlead.dev/registry"
	"fairlead.dev/registry/follow"
	"fairlead.dev/registry/memory"
)

func Example() {
	ctx := context.Background()
	reg := memory.New(memory.Options{})
	defer reg.Close()
	key := registry.Key{Realm: "local", Service: "identity", Instance: "host001-5000"}
	if _, err := reg.Register(ctx, key, registry.Registration{Host: "127.0.0.1", Port: 5000}, registry.Life{}); err != nil {
		fmt.Println(err)
	}

	table := follow.New(follow.Options{Source: reg, Realm: "local"})
	table.Start()
	defer table.Close()

	service, err := table.Resolve(ctx, "identity")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, changed := table.Table()
	if _, err := reg.SetFlag(ctx, key, &registry.Flag{Enabled: false, Reason: "broken disk"}); err != nil {
		fmt.Println(err)
	}
	<-changed
	now, _ := table.Table()
	in, _ := now.Service("identity").Instance("host001-5000")
	fmt.Println(service.Instances()[0].Enabled, in.Enabled, in.Reason)
	// Output: true false broken disk
}
