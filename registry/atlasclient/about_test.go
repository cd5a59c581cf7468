package atlasclient

import (
	"errors"
	"fmt"
	"testing"

	"fairlead.dev/registry"
)

func TestAnInstanceIsNamedOnce(t *testing.T) {
	k := registry.Key{Realm: "local", Service: "identity", Instance: "a"}
	for want, err := range map[string]error{
		"heartbeat local/identity/a: instance is not registered": fmt.Errorf("%s: %w", k, registry.ErrUnknown),
		"heartbeat local/identity/a: registry is unavailable":    registry.ErrUnavailable,
	} {
		if got := about("heartbeat", k, err); got.Error() != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if err := about("heartbeat", k, fmt.Errorf("%s: %w", k, registry.ErrUnknown)); !errors.Is(err, registry.ErrUnknown) {
		t.Errorf("%v is not what it was", err)
	}
}
