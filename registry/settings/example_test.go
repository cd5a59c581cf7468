package settings_test

import (
	"context"
	"fmt"

	"fairlead.dev/registry"
	"fairlead.dev/registry/memory"
	"fairlead.dev/registry/settings"
)

func Example() {
	reg := memory.New(memory.Options{})
	defer reg.Close()
	identity := registry.ServiceKey{Realm: "local", Service: "identity"}
	changed := make(chan []string, 2)
	keeper := settings.New(settings.Options{
		Source: reg, OnConnect: reg.OnConnect, Key: identity,
		Changed: func(names []string) { changed <- names },
	})
	keeper.Start()
	defer keeper.Close()

	hello := "hello"
	_, _ = reg.Configure(context.Background(), identity, "GREETING", &hello)
	fmt.Println(<-changed)
	fmt.Println(keeper.Values().Lookup("GREETING"))
	// Output:
	// [GREETING]
	// hello true
}
