package atlas

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/schemas"
	"fairlead.dev/schemas/validate"
)

const (
	keyRecord = "hosts.local.identity.a"
	keyFlag   = keyRecord + ".enabled"
	keyMeta   = "services.local.identity"
)

// script applies entries given as key=value; a value "-" deletes, and a cause
// may follow a "#".
func script(t *testing.T, entries ...entry) (*model, []transition) {
	t.Helper()
	m := newModel()
	m.apply(entry{key: epochKey, value: []byte("e1"), seq: 1})
	var all []transition
	for i, e := range entries {
		e.seq = uint64(i + 2)
		e.at = time.Date(2030, 1, 1, 0, 0, i, 0, time.UTC)
		all = append(all, m.apply(e))
	}
	return m, all
}

func put(key, value string) entry          { return entry{key: key, value: []byte(value)} }
func del(key, cause string) entry          { return entry{key: key, deleted: true, cause: cause} }
func life(incarnation, more string) string { return lifeAt(5000, incarnation, more) }

func lifeAt(port int, incarnation, more string) string {
	return fmt.Sprintf(`{"host":"127.0.0.1","port":%d,"atlas":{"status":"passing","incarnation":%q%s}}`, port, incarnation, more)
}

func TestWhatAnEntryMeans(t *testing.T) {
	versioned := func(v string) string {
		return `{"host":"127.0.0.1","port":5000,"version":"` + v + `","atlas":{"incarnation":"` + v + `"}}`
	}
	cases := []struct {
		name    string
		before  []entry
		entry   entry
		routes  bool
		events  []schemas.Type
		problem bool
	}{
		{"a registration", nil, put(keyRecord, life("x", "")), true, types(schemas.TypeInstanceRegistered), false},
		{"a registration by hand", nil, put(keyRecord, `{"host":"::1","port":1}`), true, types(schemas.TypeInstanceRegistered), false},
		{"a new life", list(put(keyRecord, life("x", ""))), put(keyRecord, life("y", "")), true, types(schemas.TypeInstanceRegistered), false},
		{"another version", list(put(keyRecord, versioned("1"))), put(keyRecord, versioned("2")), true,
			types(schemas.TypeDeployVersionChanged, schemas.TypeInstanceRegistered), false},
		{"the same again", list(put(keyRecord, life("x", ""))), put(keyRecord, life("x", "")), false, nil, false},
		{"another token", list(put(keyRecord, life("x", ""))), put(keyRecord, life("x", `,"token_sha256":"t"`)), false, nil, false},
		{"another port by hand", list(put(keyRecord, life("x", ""))), put(keyRecord, lifeAt(5001, "x", "")), true, types(schemas.TypeInstanceUpdated), false},
		{"suspicion", list(put(keyRecord, life("x", ""))), put(keyRecord, life("x", `,"suspect":true`)), true, types(schemas.TypeInstanceStatusChanged), false},
		{"a deregistration", list(put(keyRecord, life("x", ""))), del(keyRecord, causeDeregistered), true, types(schemas.TypeInstanceDeregistered), false},
		{"an eviction", list(put(keyRecord, life("x", ""))), del(keyRecord, causeEvicted+": refused"), true, types(schemas.TypeInstanceEvicted), false},
		{"a deletion of nothing", nil, del(keyRecord, ""), false, nil, false},
		{"disabled before it registers", nil, put(keyFlag, "false"), false, types(schemas.TypeInstanceDisabled), false},
		{"disabled", list(put(keyRecord, life("x", ""))), put(keyFlag, `{"enabled":false,"reason":"r"}`), true, types(schemas.TypeInstanceDisabled), false},
		{"enabled", list(put(keyRecord, life("x", "")), put(keyFlag, "false")), put(keyFlag, "true"), true, types(schemas.TypeInstanceEnabled), false},
		{"flag expired", list(put(keyRecord, life("x", "")), put(keyFlag, "false")), del(keyFlag, causeExpired), true, types(schemas.TypeInstanceEnabled), false},
		{"enabled that was", list(put(keyRecord, life("x", ""))), put(keyFlag, "true"), false, nil, false},
		{"a weight", list(put(keyRecord, life("x", ""))), put(keyRecord+".weight", "7"), true, types(schemas.TypeInstanceWeightChanged), false},
		{"a drain", list(put(keyRecord, life("x", ""))), put(keyRecord+".drain", "true"), true, types(schemas.TypeInstanceDrainChanged), false},
		{"rubbish", list(put(keyRecord, life("x", ""))), put(keyRecord, "rubbish"), false, types(schemas.TypeEntryQuarantined), true},
		{"rubbish flag", list(put(keyRecord, life("x", ""))), put(keyFlag, "maybe"), false, types(schemas.TypeEntryQuarantined), true},
		{"a key that is none", nil, put("hosts.local.identity", "{}"), false, types(schemas.TypeEntryQuarantined), true},
		{"a key with a bad name", nil, put("hosts.local.Identity.a", life("x", "")), false, types(schemas.TypeEntryQuarantined), true},
		{"rubbish mended", list(put(keyFlag, "maybe")), put(keyFlag, "true"), false, types(schemas.TypeEntryRecovered), false},
		{"rubbish deleted", list(put("nonsense", "")), del("nonsense", ""), false, types(schemas.TypeEntryRecovered), false},
		{"metadata", nil, put(keyMeta, `{"owner":"a","policy":{"attempts":2,"timeout":"1s"}}`), true, types(schemas.TypeServiceUpdated), false},
		{"metadata that says nothing", nil, put(keyMeta, "{}"), false, nil, false},
		{"the same metadata", list(put(keyMeta, `{"owner":"a"}`)), put(keyMeta, `{ "owner": "a" }`), false, nil, false},
		{"metadata taken away", list(put(keyMeta, `{"owner":"a"}`)), del(keyMeta, ""), true, types(schemas.TypeServiceUpdated), false},
		{"rubbish metadata", list(put(keyMeta, `{"owner":"a"}`)), put(keyMeta, `{"policy":{"timeout":"soon"}}`), false, types(schemas.TypeEntryQuarantined), true},
		{"rubbish metadata mended", list(put(keyMeta, `owner`)), put(keyMeta, `{"owner":"a"}`), true, types(schemas.TypeEntryRecovered, schemas.TypeServiceUpdated), false},
		{"metadata of what has a bad name", nil, put("services.local.Identity", "{}"), false, types(schemas.TypeEntryQuarantined), true},
		{"metadata of an instance", nil, put("services.local.identity.a", "{}"), false, types(schemas.TypeEntryQuarantined), true},
	}
	validator, err := validate.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, all := script(t, append(c.before, c.entry)...)
			last := all[len(all)-1]
			if last.routes() != c.routes || (last.problem != "") != c.problem {
				t.Errorf("routes %v, problem %q", last.routes(), last.problem)
			}
			var got []schemas.Type
			for _, data := range eventsOf("e1", last) {
				got = append(got, data.EventType())
				encoded, _ := json.Marshal(data)
				if err := validator.Data(data.EventType(), encoded); err != nil {
					t.Error(err)
				}
			}
			if !reflect.DeepEqual(got, c.events) {
				t.Errorf("events %v, want %v", got, c.events)
			}
		})
	}
}

func types(t ...schemas.Type) []schemas.Type { return t }
func list(e ...entry) []entry                { return e }

func TestRubbishLeavesTheLastGoodValue(t *testing.T) {
	m, _ := script(t, put(keyRecord, life("x", "")), put(keyFlag, "false"), put(keyFlag, "rubbish"), put(keyRecord, "rubbish"))
	in, found := m.table("local").Service("identity").Instance("a")
	if !found || in.Enabled || len(m.quarantined) != 2 {
		t.Errorf("%+v %v %v", in, found, m.quarantined)
	}
}

func TestChangesOfAServiceAreChained(t *testing.T) {
	_, all := script(t,
		put(keyRecord, life("x", "")),
		put(keyMeta, `{"owner":"a"}`),
		put("hosts.local.other.b", life("y", "")),
		put(keyRecord, life("x", `,"token_sha256":"t"`)),
		put(keyFlag, "false"),
		del(keyRecord, causeDeregistered),
		put(keyRecord, life("z", "")))
	var previous uint64
	for _, tr := range all {
		if tr.key.Service != "identity" || !tr.routes() {
			continue
		}
		if c := changeOf(tr); c.Previous != previous {
			t.Errorf("change %d follows %d, want %d", c.Revision, c.Previous, previous)
		}
		previous = tr.entry.seq
	}
	if previous != 8 {
		t.Errorf("the last change was %d", previous)
	}
}

func TestReplayGivesTheSameModel(t *testing.T) {
	entries := list(
		put(keyRecord, life("x", "")), put(keyFlag, "false"), put(keyFlag, "maybe"),
		put("hosts.test.identity.a", life("x", "")), del(keyRecord, causeDeregistered), put(keyRecord, life("y", "")))
	a, _ := script(t, entries...)
	b, _ := script(t, entries...)
	if a.table("local").Hash() != b.table("local").Hash() || !reflect.DeepEqual(a.quarantined, b.quarantined) {
		t.Error("the models differ")
	}
	if set, registered := a.values(); len(set) != 1 || len(registered) != 2 {
		t.Errorf("values %v, %v", set, registered)
	}
}

func TestBucketKeys(t *testing.T) {
	k := registry.Key{Realm: "local", Service: "identity", Instance: "a"}
	for a := range aspects {
		got, aspect, err := parseBucketKey(bucketKey(k, a))
		if got != k || aspect != a || err != nil {
			t.Errorf("%s: %v %v %v", bucketKey(k, a), got, aspect, err)
		}
	}
	for _, bad := range []string{"", "hosts", "hosts.a.b", "hosts.a.b.c.d", "hosts.a.b.c.enabled.x", "host.a.b.c", "hosts.a..c"} {
		if _, _, err := parseBucketKey(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestWaitingOverrides(t *testing.T) {
	m, _ := script(t,
		put("hosts.local.identity.b.enabled", "false"), put("hosts.local.identity.b.weight", `{"weight":5}`),
		put("hosts.local.identity.b.drain", `{"drain":true}`),
		put("hosts.local.identity.a.enabled", `{"enabled":false,"until":"2030-01-01T01:00:00Z"}`),
		put("hosts.local.identity.c.enabled", "true"),
		put("hosts.local.identity.d.enabled", "false"), del("hosts.local.identity.d.enabled", ""),
		put("hosts.local.identity.e.enabled", "false"), put("hosts.local.identity.e", life("x", "")),
	)
	names := func(now time.Time) (all []string) {
		for _, o := range m.waiting(now) {
			all = append(all, o.Instance+" "+o.Means)
		}
		return all
	}
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	if got, want := names(start), []string{"a disabled", "b at weight 5", "b disabled", "b draining"}; !reflect.DeepEqual(got, want) {
		t.Errorf("waiting are %q, want %q", got, want)
	}
	if got, want := names(start.Add(time.Hour)), []string{"b at weight 5", "b disabled", "b draining"}; !reflect.DeepEqual(got, want) {
		t.Errorf("an hour later waiting are %q, want %q", got, want)
	}
}

// A replay makes its tables at the end, and they are the same.
func TestAReplaysTablesAreThoseOfTheLiveModel(t *testing.T) {
	entries := list(
		put(keyRecord, life("x", "")), put(keyFlag, "false"), put("hosts.local.gone.b", life("y", "")),
		del("hosts.local.gone.b", causeDeregistered), put(keyMeta, `{"owner":"a"}`), put(keyMeta, "rubbish"), put(keyMeta, `{"owner":"b"}`),
		put("services.test.billing", `{"owner":"c"}`), put("services.local.gone", `{"owner":"c"}`), del("services.local.gone", ""), put("hosts.test.identity.a", life("x", "")), put(keyRecord, life("x", `,"token_sha256":"t"`)))
	live, transitions := script(t, entries...)
	replay := newReplay()
	replay.apply(entry{key: epochKey, value: []byte("e1"), seq: 1})
	for i, tr := range transitions {
		if again := replay.apply(tr.entry); again.previous != tr.previous || again.routes() != tr.routes() {
			t.Errorf("entry %d: follows %d and routes %v, live %d and %v", i, again.previous, again.routes(), tr.previous, tr.routes())
		}
	}
	replay.finish()
	for _, realm := range []string{"local", "test"} {
		a, b := live.table(realm), replay.table(realm)
		if a.Hash() != b.Hash() || a.Revision != b.Revision {
			t.Errorf("%s: %v and %v", realm, a.Revision, b.Revision)
		}
		if a, b := a.Service("identity").Revision, b.Service("identity").Revision; a != b {
			t.Errorf("%s: service at %d and %d", realm, a, b)
		}
	}
	if s := replay.table("local").Service("identity"); s.Meta.Owner != "b" || s.MetaRevision != live.table("local").Service("identity").MetaRevision {
		t.Errorf("of the service is known %+v since %d", s.Meta, s.MetaRevision)
	}
	if s := replay.table("test").Service("billing"); s == nil || s.Meta.Owner != "c" {
		t.Errorf("of a service without instances is known %+v", s)
	}
	if replay.table("local").Service("gone") != nil {
		t.Error("a service without instances is still known")
	}
}
