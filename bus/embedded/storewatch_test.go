package embedded

import (
	"errors"
	"syscall"
	"testing"
)

func TestStoreRemedy(t *testing.T) {
	full := error(syscall.ENOSPC)
	for name, c := range map[string]struct {
		found storeFinding
		want  storeRemedy
		cause error
	}{
		"well":                            {storeFinding{}, storeIsWell, nil},
		"full, and nobody has written":    {storeFinding{room: full}, awaitRoom, full},
		"full, and writes failed":         {storeFinding{stuck: true, room: full}, awaitRoom, full},
		"writes failed, there is room":    {storeFinding{stuck: true}, reopenStore, nil},
		"its directory was removed":       {storeFinding{gone: true}, reopenStore, nil},
		"removed after writes had failed": {storeFinding{gone: true, stuck: true}, reopenStore, nil},
	} {
		if got := c.found.remedy(); got != c.want {
			t.Errorf("%s: remedy %v, expected %v", name, got, c.want)
		}
		if c.cause != nil && !errors.Is(c.found.cause(), c.cause) {
			t.Errorf("%s: cause %v", name, c.found.cause())
		}
	}
}

func TestWriteFailuresOfTheServer(t *testing.T) {
	for message, want := range map[string]bool{
		"JetStream stream 'ATLAS > KV_atlas' critical write error: write 1.blk: no space left on device": true,
		"Filestore [KV_atlas] Critical write error: sync 1.blk: input/output error":                      true,
		"RAFT [cnrtt3eg - S-R3F-abc] Critical write error: write: no space left on device":               true,
		"JetStream failed to store a msg on stream 'ATLAS > EVENTS': maximum bytes exceeded":             false,
	} {
		if got := isWriteFailure(message); got != want {
			t.Errorf("%q: %v, expected %v", message, got, want)
		}
	}
}
