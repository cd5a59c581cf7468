package smartclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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

// To the client the sidecar looks like the one instance of any service.
func TestExplainAsksTheSidecar(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/realms/test/services/identity/explain":
			_, _ = io.WriteString(w, `{"realm":"test","service":"identity","in":1,"instances":[{"instance":"a","in":true},{"instance":"b"}]}`)
		case "/v1/realms/test/services/other/explain":
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = io.WriteString(w, "<html>")
		}
	})
	c := bySidecar(t, base)
	if x, err := c.Explain(t.Context(), "identity"); err != nil || x.In != 1 || len(x.Instances) != 2 {
		t.Errorf("got %+v, %v", x, err)
	}
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	for _, tc := range []struct {
		client  *smartclient.Client
		service string
		want    string
	}{
		{c, "other", "answers 404 Not Found, as no sidecar would"},
		{c, "rubbish", "answers what no sidecar would"},
		{bySidecar(t, away.URL), "identity", "explain identity: sidecar at " + away.URL + " does not answer"},
		{bySidecar(t, "ftp://x"), "identity", "FAIRLEAD_SIDECAR"},
	} {
		if x, err := tc.client.Explain(t.Context(), tc.service); err == nil || !strings.Contains(err.Error(), tc.want) || len(x.Instances) > 0 {
			t.Errorf("got %+v, %v, want %s", x, err, tc.want)
		}
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
