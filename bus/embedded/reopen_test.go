package embedded_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"fairlead.dev/bus/embedded"
	"fairlead.dev/bus/provision"
)

// What was connected stays connected, and logs in as before afterwards.
func TestARemovedDataDirectoryIsMadeAnew(t *testing.T) {
	dir := t.TempDir() + "/data"
	srv := start(t, embedded.Options{DataDir: dir})
	nc, js := provisioned(t, srv)
	if err := srv.StoreError(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	untilTaken(t, func(ctx context.Context) error {
		if _, err := os.Stat(dir + "/jetstream/jetstream"); err != nil {
			return err
		}
		return errors.Join(srv.StoreError(), provision.Ensure(ctx, js, provision.Options{Logger: quiet}))
	})
	kv, err := js.KeyValue(t.Context(), "atlas")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "hosts.local.identity.a", "x"); err != nil {
		t.Fatal(err)
	}
	if nc.Stats().Reconnects > 0 {
		t.Error("connections were lost")
	}
	if _, err := embedded.Start(t.Context(), embedded.Options{DataDir: dir, Logger: quiet}); !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("the new directory is not locked: %v", err)
	}
	stop(t, srv)
	second := start(t, embedded.Options{DataDir: dir})
	if second.AtlasCredentials() != srv.AtlasCredentials() || second.Name() != srv.Name() {
		t.Error("name or credentials changed")
	}
	_, js = provisioned(t, second)
	if kv, err = js.KeyValue(t.Context(), "atlas"); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Get(t.Context(), "hosts.local.identity.a"); err != nil {
		t.Errorf("what was written afterwards is lost: %v", err)
	}
}

// untilTaken tries again until it succeeds.
func untilTaken(t *testing.T, try func(context.Context) error) {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := try(ctx)
		cancel()
		if err == nil {
			return
		}
		if time.Since(began) > patience {
			t.Fatal(err)
		}
		<-tick.C
	}
}
