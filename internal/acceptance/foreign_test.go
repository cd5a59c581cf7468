package acceptance

import (
	"testing"
	"time"

	"fairlead.dev/registry"
)

const (
	// lease is how long a registration lasts without heartbeats.
	lease = 6 * time.Second
	// goneWithin is how long a dead instance without heartbeats may be listed.
	goneWithin = 8 * time.Second
)

func TestAForeignProgramIsRoutedToAsLongAsCurlSendsItsHeartbeats(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	s := startSite(t)
	at := r.instanceURL("site", "by-hand")
	expect(t, 201, "-X", "PUT", "-d", s.registration(), at)
	holds(t, lease+2*time.Second, 2*time.Second, "it passes and is routed to", func() bool {
		expect(t, 204, "-X", "POST", at+"/heartbeat")
		return r.instances(t, "site")["by-hand"].Status == registry.Passing && r.sees(t, siteText)
	})
	expect(t, 204, "-X", "DELETE", at)
	expect(t, 404, at)
	expect(t, 404, "-X", "POST", at+"/heartbeat")
}

// sees tells whether the site answers, by way of the sidecar and the bridge.
func (r *realm) sees(t *testing.T, text string) bool {
	t.Helper()
	return curl(t, "-H", "Fairlead-Service: site", r.Sidecar+"/").body == text && curl(t, r.HTTP+"/call/site/").body == text
}

func TestADeadForeignProgramIsGoneWithinEightSeconds(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	s := startSite(t)
	expect(t, 201, "-X", "PUT", "-d", s.registration(), r.instanceURL("site", "by-hand"))
	s.kill()
	took := r.await(t, goneWithin, "site", "by-hand", "is gone", isGone)
	t.Logf("gone after %s", took)
	if got := curl(t, "-H", "Fairlead-Service: site", r.Sidecar+"/"); got.status != 503 {
		t.Errorf("the sidecar answers %d %s", got.status, got.body)
	}
}

func TestALivingForeignProgramWithoutHeartbeatsStaysAsSuspect(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	s := startSite(t)
	at := r.instanceURL("site", "by-hand")
	expect(t, 201, "-X", "PUT", "-d", s.registration(), at)
	took := r.await(t, goneWithin, "site", "by-hand", "is suspect", isSuspect)
	t.Logf("suspect after %s", took)
	holds(t, lease, time.Second, "it stays suspect and is routed to", func() bool {
		return r.instances(t, "site")["by-hand"].Status == registry.Suspect && r.sees(t, siteText)
	})
	if listing := r.succeed(t, "instances", "site"); !contains(listing, "by-hand", "suspect") {
		t.Errorf("the command lists %s", listing)
	}
	expect(t, 204, "-X", "POST", at+"/heartbeat")
	r.await(t, time.Second, "site", "by-hand", "passes again", passes)
	s.kill()
	r.await(t, goneWithin, "site", "by-hand", "is gone", isGone)
}
