package smartclient_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

func TestClientExplains(t *testing.T) {
	base, _ := serve(t, echo)
	off := at("off-1", base)
	off.Enabled = false
	r := newRealm(at("host-1", base), off)
	c := newClient(t, options(r))
	warm(t, c)
	x, err := c.Explain(t.Context(), "identity")
	if err != nil || x.In != 1 || len(x.Instances) != 2 || x.Realm != "test" || x.Err() != nil {
		t.Fatalf("got %+v, %v", x, err)
	}
	if x.Instances[0].Local == nil || !x.Instances[0].In || x.Instances[1].In || x.Instances[1].Standing != registry.SwitchedOff {
		t.Errorf("got %+v", x.Instances)
	}
	if x, err := c.Explain(t.Context(), "unknown"); err != nil || !errors.Is(x.Err(), registry.ErrNoSuchService) {
		t.Errorf("got %+v, %v", x, err)
	}
	if x, err := newClient(t, options(&never{registry.ErrNeverSeen})).Explain(t.Context(), "identity"); err != nil || !errors.Is(x.Err(), registry.ErrNeverSeen) {
		t.Errorf("got %+v, %v", x, err)
	}
	if _, err := c.Explain(t.Context(), "Bad Name"); err == nil {
		t.Error("a bad name is explained")
	}
}

func ExampleClient_Explain() {
	resolver, stop := startIdentity()
	defer stop()
	client := smartclient.New(smartclient.Options{Realm: "local", Resolver: resolver})
	explanation, err := client.Explain(context.Background(), "identity")
	fmt.Println(explanation.Verdict, err)
	for _, instance := range explanation.Instances {
		fmt.Println(instance.Instance, instance.Verdict)
	}
	// Output:
	// 1 of 1 instances in <nil>
	// host001-5000 in
}
