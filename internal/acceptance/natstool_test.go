package acceptance

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"fairlead.dev/registry"
)

// A toolContext is what the nats tool reads of a context.
type toolContext struct{ URL, User, Password string }

// tool connects as the nats tool does with what the command prints for it.
func (r *realm) tool(t *testing.T) *nats.Conn {
	t.Helper()
	login := decode[toolContext](t, r.succeed(t, "nats-context", "--data", r.data))
	conn, err := nats.Connect(login.URL, nats.UserInfo(login.User, login.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func (r *realm) bucket(t *testing.T, name string) jetstream.KeyValue {
	t.Helper()
	js, err := jetstream.New(r.tool(t))
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func put(t *testing.T, kv jetstream.KeyValue, key, value string) {
	t.Helper()
	if _, err := kv.PutString(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

func TestTheNatsToolReadsRegistrationsAndHeartbeats(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	entry, err := r.bucket(t, "atlas").Get(t.Context(), "hosts.local.identity.identity-1")
	if err != nil {
		t.Fatal(err)
	}
	record := decode[registry.Registration](t, string(entry.Value()))
	if in := r.instances(t, "identity")["identity-1"]; record.Host != in.Host || record.Port != in.Port || record.Health != "/health/ready" {
		t.Errorf("the bucket has %s, listed is %+v", entry.Value(), in)
	}
	beats := r.bucket(t, "heartbeats")
	began := time.Now()
	within(t, patience, "a new heartbeat is in its bucket", func() bool {
		entry, err := beats.Get(t.Context(), "local.identity.identity-1")
		if err != nil {
			return false
		}
		beat := decode[struct {
			Status registry.Status
			At     time.Time
		}](t, string(entry.Value()))
		return beat.Status == registry.Passing && beat.At.After(began)
	})
	js, err := jetstream.New(r.tool(t))
	if err != nil {
		t.Fatal(err)
	}
	buckets := map[string]bool{}
	for name := range js.KeyValueStoreNames(t.Context()).Name() {
		buckets[name] = true
	}
	if !buckets["KV_atlas"] && !buckets["atlas"] || len(buckets) < 3 {
		t.Errorf("`nats kv ls` sees %v", buckets)
	}
}

func TestWhatTheNatsToolPutsTakesEffect(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	kv := r.bucket(t, "atlas")
	const flag = "hosts.local.identity.identity-1.enabled"
	routed := func() int { return curl(t, "-H", byHeader, r.Sidecar+"/users/1").status }

	put(t, kv, flag, "false")
	within(t, time.Second, "it is disabled, and not routed to", func() bool { return routed() == 503 })
	listing := decode[struct {
		Instances []struct {
			Instance string
			Enabled  bool
		}
	}](t, r.succeed(t, "instances", "-o", "json"))
	if len(listing.Instances) != 1 || listing.Instances[0].Instance != "identity-1" || listing.Instances[0].Enabled {
		t.Errorf("the command lists %+v", listing)
	}
	if got := r.cli(t, "call", "GET", "service://identity/users/1"); got.code != 3 || !contains(got.err, "no instance is enabled") {
		t.Errorf("a call ends with %d %s", got.code, got.err)
	}

	put(t, kv, flag, `{"enabled":true,"owner":"joe","reason":"it is well again"}`)
	within(t, time.Second, "it is enabled, and routed to", func() bool { return routed() == 200 })
	if in := r.instances(t, "identity")["identity-1"]; !in.Enabled || in.Owner != "joe" || in.Reason != "it is well again" {
		t.Errorf("it is listed as %+v", in)
	}
	put(t, kv, "hosts.local.identity.identity-1.drain", "true")
	within(t, time.Second, "it drains", func() bool { return routed() == 503 })
	if err := kv.Delete(t.Context(), "hosts.local.identity.identity-1.drain"); err != nil {
		t.Fatal(err)
	}
	within(t, time.Second, "it drains no more", func() bool { return routed() == 200 })
	// A registration deleted by hand comes back with the living instance.
	if err := kv.Delete(t.Context(), "hosts.local.identity.identity-1"); err != nil {
		t.Fatal(err)
	}
	r.await(t, time.Second, "identity", "identity-1", "is gone", isGone)
	within(t, 15*time.Second, "it has come back", func() bool { return routed() == 200 })
}

func TestTheNatsToolWatchesChanges(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	watcher, err := r.bucket(t, "atlas").WatchAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watcher.Stop() }()
	seen := func(what, key string, ok func(jetstream.KeyValueEntry) bool) {
		t.Helper()
		timeout := time.After(patience)
		for {
			select {
			case entry := <-watcher.Updates():
				if entry != nil && entry.Key() == key && ok(entry) {
					return
				}
			case <-timeout:
				t.Fatalf("the watcher never saw %s", what)
			}
		}
	}
	const record, flag = "hosts.local.identity.identity-1", "hosts.local.identity.identity-1.enabled"
	seen("the registration", record, func(e jetstream.KeyValueEntry) bool { return e.Operation() == jetstream.KeyValuePut })
	r.succeed(t, "disable", "identity", "identity-1", "--reason", "bad disk")
	seen("the flag", flag, func(e jetstream.KeyValueEntry) bool {
		return contains(string(e.Value()), `"enabled":false`, `"owner":"jane"`, `"reason":"bad disk"`)
	})
	r.succeed(t, "enable", "identity", "identity-1", "--clear")
	seen("its end", flag, func(e jetstream.KeyValueEntry) bool { return e.Operation() == jetstream.KeyValueDelete })
	at := r.instanceURL("site", "one")
	register(t, 201, at, `{"host":"127.0.0.1","port":5000}`)
	seen("a registration over HTTP", "hosts.local.site.one", func(e jetstream.KeyValueEntry) bool { return contains(string(e.Value()), "5000") })
	expect(t, 204, "-X", "DELETE", at)
	seen("its end", "hosts.local.site.one", func(e jetstream.KeyValueEntry) bool { return e.Operation() == jetstream.KeyValueDelete })
}

func TestTheNatsToolSeesAtlasAsAMicroService(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	conn := r.tool(t)
	if ping := askMicro[micro.Ping](t, conn, "$SRV.PING.atlas"); ping.Name != "atlas" || ping.Type != micro.PingResponseType {
		t.Errorf("ls: %+v", ping)
	}
	endpoints := map[string]string{}
	for _, service := range []string{"atlas", "atlas-heartbeats"} {
		for _, e := range askMicro[micro.Info](t, conn, "$SRV.INFO."+service).Endpoints {
			endpoints[e.Name] = e.Subject
		}
	}
	for _, verb := range []string{"register", "heartbeat", "deregister", "flag", "drain", "weight"} {
		if !contains(endpoints[verb], "atlas.v1."+verb+".") {
			t.Errorf("info has no %s: %v", verb, endpoints)
		}
	}
	r.succeed(t, "disable", "identity", "identity-1")
	for _, e := range askMicro[micro.Stats](t, conn, "$SRV.STATS.atlas").Endpoints {
		if e.Name == "flag" && (e.NumRequests != 1 || e.NumErrors != 0) {
			t.Errorf("after one flag was set stats say %+v", e)
		}
	}
}

func askMicro[T any](t *testing.T, conn *nats.Conn, subject string) T {
	t.Helper()
	msg, err := conn.Request(subject, nil, patience)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return decode[T](t, string(msg.Data))
}

func TestRubbishPutByHandIsQuarantinedAndTheLastGoodValueStays(t *testing.T) {
	t.Parallel()
	r := startRestartable(t)
	s := startSite(t)
	register(t, 201, r.instanceURL("site", "one"), s.registration())
	r.startIdentity(t, "identity-1")
	r.succeed(t, "disable", "identity", "identity-1", "--reason", "bad disk")
	kv := r.bucket(t, "atlas")
	rubbish := map[string]string{
		"hosts.local.site.one":                    `{"host":"127.0.0.1","port":70000}`,
		"hosts.local.identity.identity-1.enabled": "perhaps",
		"hosts.local.identity.identity-1.weight":  `{"weight":"heavy"}`,
		"hosts.local.Identity.X":                  "{}",
		"somewhere.else":                          "hello",
	}
	for key, value := range rubbish {
		put(t, kv, key, value)
	}
	check := func(when string) {
		t.Helper()
		within(t, patience, when+" the doctor shows all of it", func() bool { return r.quarantined(t, rubbish) == len(rubbish) })
		if in := r.instances(t, "site")["one"]; in.Port != s.port || !r.sees(t, siteText) {
			t.Errorf("%s the site is listed as %+v", when, in)
		}
		if in := r.instances(t, "identity")["identity-1"]; in.Enabled || in.Reason != "bad disk" || in.Weight != registry.DefaultWeight {
			t.Errorf("%s identity is listed as %+v", when, in)
		}
	}
	check("at first")
	r.crash()
	r.start(t)
	check("after a restart")

	kv = r.bucket(t, "atlas")
	put(t, kv, "hosts.local.identity.identity-1.enabled", "true")
	delete(rubbish, "hosts.local.identity.identity-1.enabled")
	for _, key := range []string{"hosts.local.Identity.X", "somewhere.else"} {
		if err := kv.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		delete(rubbish, key)
	}
	within(t, time.Second, "what is mended is no longer shown", func() bool { return r.quarantined(t, rubbish) == len(rubbish) })
	if in := r.instances(t, "identity")["identity-1"]; !in.Enabled {
		t.Errorf("in the end identity is listed as %+v", in)
	}
}

// quarantined returns how many keys the doctor shows in quarantine, -1 if one
// of those wanted is not among them.
func (r *realm) quarantined(t *testing.T, wanted map[string]string) int {
	t.Helper()
	var report struct {
		Checks []struct{ Check, Status, Detail string }
	}
	got := r.cli(t, "doctor", "-o", "json")
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatalf("the doctor says %q %q", got.out, got.err)
	}
	var shown string
	count := 0
	for _, c := range report.Checks {
		if c.Check == "quarantine" {
			shown += c.Detail + "\n"
			count++
		}
	}
	for key := range wanted {
		if !contains(shown, key+": ") {
			return -1
		}
	}
	return count
}
