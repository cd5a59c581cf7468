package atlas

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"fairlead.dev/access"
	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// A secured realm is a bus beyond loopback with a user of each role on it, and
// an Atlas that never judges a lease during a test.
type secured struct {
	url   string
	atlas *bus.Conn
	node  *Node
	files map[string]string // of the credentials, by name
	port  int               // where a probe is answered
}

// grants are the roles of the matrix, by the names of their users.
var grants = map[string]access.Grant{
	"reader":    {Role: access.Reader, Realm: "production"},
	"elsewhere": {Role: access.Reader, Realm: "test"},
	"identity":  {Role: access.Instance, Realm: "production", Services: []string{"identity"}},
	"only-a":    {Role: access.Instance, Realm: "production", Services: []string{"identity"}, Instance: "a"},
	"flag":      operator(protocol.Flag),
	"drain":     operator(protocol.Drain),
	"weight":    operator(protocol.Weight),
	"meta":      operator(access.Meta),
	"configure": operator(access.Configure),
}

func operator(verb string) access.Grant {
	return access.Grant{Role: access.Operator, Realm: "production", Verbs: []string{verb}}
}

// TestRoles holds the embedded server, and the real server with the
// deployment's files as they stand, to the same matrix and the same attacks.
func TestRoles(t *testing.T) {
	servers := map[string]func(*testing.T, access.Directory) (url string){"embedded": embeddedBus, "deployment": deployedBus}
	checks := map[string]func(*testing.T, *secured){
		"matrix": matrix, "reply subjects": replySubjects, "headers": hostileHeaders,
		"tokens": foreignTokens, "strangers": strangers,
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := newSecured(t, start)
			for check, run := range checks {
				t.Run(check, func(t *testing.T) { run(t, s) })
			}
		})
	}
}

func newSecured(t *testing.T, start func(*testing.T, access.Directory) string) *secured {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	must(t, access.Init(dir, access.InitOptions{}))
	keys, err := access.Open(dir)
	must(t, err)
	answering, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = answering.Close() })
	s := &secured{files: map[string]string{}, port: answering.Addr().(*net.TCPAddr).Port}
	for name, grant := range grants {
		credentials, err := keys.Add(name, grant)
		must(t, err)
		s.files[name] = filepath.Join(t.TempDir(), name+".json")
		must(t, access.WriteNew(s.files[name], credentials))
	}
	s.url = start(t, keys)
	s.files["bridge"] = keys.ControlPlane(access.Bridge)
	s.atlas = dial(t, bus.Options{URL: s.url, CredentialsFile: keys.ControlPlane(access.Atlas)})
	t.Cleanup(s.atlas.Close)
	s.node = startNode(t, &realBus{atlas: s.atlas}, Terms{Every: time.Minute, TTL: 10 * time.Minute})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func embeddedBus(t *testing.T, keys access.Directory) string {
	live, err := keys.Follow(quiet())
	must(t, err)
	t.Cleanup(live.Close)
	server, err := embedded.Start(t.Context(), embedded.Options{
		DataDir: t.TempDir(), Users: live.Users().Conf(), TLS: live.TLS(), Logger: quiet(),
	})
	must(t, err)
	t.Cleanup(func() { must(t, server.Stop(context.Background())) })
	return server.ClientURL()
}

// deployedBus runs the server's own program. What the command line says is
// only where it listens.
func deployedBus(t *testing.T, keys access.Directory) string {
	for _, name := range []string{"secured.conf", "accounts.conf"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "deployments", "nats", name))
		must(t, err)
		must(t, os.WriteFile(keys.Path(name), text, 0o600))
	}
	program := filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("build nats-server: %v\n%s", err, out)
	}
	ports := t.TempDir()
	server := exec.Command(program, "-c", "secured.conf", "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", ports)
	server.Dir = keys.Path(".")
	log := filepath.Join(ports, "log")
	out, err := os.Create(log)
	must(t, err)
	server.Stdout, server.Stderr = out, out
	must(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
		_ = out.Close()
	})
	return portsIn(t, ports, log)
}

// portsIn waits for the file in which the server says where it listens.
func portsIn(t *testing.T, dir, log string) string {
	t.Helper()
	timeout := time.After(patience)
	for {
		files, _ := filepath.Glob(filepath.Join(dir, "*.ports"))
		var ports struct{ NATS []string }
		if len(files) == 1 {
			if text, err := os.ReadFile(files[0]); err == nil && json.Unmarshal(text, &ports) == nil && len(ports.NATS) > 0 {
				return ports.NATS[0]
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-timeout:
			text, _ := os.ReadFile(log)
			t.Fatalf("nats-server does not start:\n%s", text)
		}
	}
}

// as connects as one user.
func (s *secured) as(t *testing.T, name string) *nats.Conn {
	t.Helper()
	conn := dial(t, bus.Options{URL: s.url, CredentialsFile: s.files[name], Name: name})
	t.Cleanup(conn.Close)
	return conn.NATS()
}

func (s *secured) names() []string {
	var names []string
	for name := range grants {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Groups of users in the matrix.
var (
	nobody      []string
	production  = []string{"reader", "identity", "only-a", "flag", "drain", "weight", "meta", "configure"}
	ofTest      = []string{"elsewhere"}
	ofIdentity  = []string{"identity", "only-a"}
	readsConfig = []string{"identity", "only-a", "configure"}
)

// mayPublish says for each subject who may; everybody else may not.
var mayPublish = map[string][]string{
	"atlas.v1.register.production.identity.a":   ofIdentity,
	"atlas.v1.register.production.identity.b":   {"identity"},
	"atlas.v1.register.production.billing.a":    nobody,
	"atlas.v1.register.test.identity.a":         nobody,
	"atlas.v1.heartbeat.production.identity.a":  ofIdentity,
	"atlas.v1.heartbeat.production.identity.b":  {"identity"},
	"atlas.v1.heartbeat.production.billing.a":   nobody,
	"atlas.v1.beat.production.identity.a":       ofIdentity,
	"atlas.v1.beat.production.identity.b":       {"identity"},
	"atlas.v1.beat.production.billing.a":        nobody,
	"atlas.v1.deregister.production.identity.a": ofIdentity,
	"atlas.v1.deregister.production.identity.b": {"identity"},
	"atlas.v1.deregister.production.billing.a":  nobody,

	"atlas.v1.flag.production.identity.a":        {"flag"},
	"atlas.v1.flag.test.identity.a":              nobody,
	"atlas.v1.drain.production.identity.a":       {"drain"},
	"atlas.v1.drain.test.identity.a":             nobody,
	"atlas.v1.weight.production.identity.a":      {"weight"},
	"atlas.v1.weight.test.identity.a":            nobody,
	"atlas.v1.meta.production.identity":          {"meta"},
	"atlas.v1.meta.test.identity":                nobody,
	"atlas.v1.configure.production.identity.KEY": {"configure"},
	"atlas.v1.configure.test.identity.KEY":       nobody,

	"atlas.v1.settings.production.identity": readsConfig,
	"atlas.v1.settings.production.billing":  {"configure"},
	"atlas.v1.settings.test.identity":       nobody,
	"atlas.v1.explain.production.identity":  production,
	"atlas.v1.explain.test.identity":        ofTest,
	"atlas.v1.snapshot.production":          production,
	"atlas.v1.snapshot.production.identity": production,
	"atlas.v1.snapshot.test":                ofTest,
	"atlas.v1.status.production":            production,
	"atlas.v1.status.test":                  ofTest,
	"atlas.v1.status":                       nobody,

	"atlas.v1.routes.production.identity":               nobody,
	"atlas.v1.digest.production":                        nobody,
	"atlas.v1.digest.production.identity":               nobody,
	"atlas.v1.setting.production.identity.KEY":          nobody,
	"feed.v1.production.identity.user.created":          nobody,
	"events.v1.production.identity.user.created":        ofIdentity,
	"events.v1.production.identity.instance.evicted":    nobody,
	"events.v1.production.identity.service.changed":     nobody,
	"events.v1.production.identity.entry.quarantined":   nobody,
	"events.v1.production.identity.registry.rebuilt":    nobody,
	"events.v1.production.identity.deploy.started":      nobody,
	"events.v1.production.billing.user.created":         nobody,
	"events.v1.test.identity.user.created":              nobody,
	"$KV.atlas.hosts.production.identity.a":             nobody,
	"$KV.settings.production.identity.KEY":              nobody,
	"$JS.API.INFO":                                      nobody,
	"$JS.API.STREAM.INFO.KV_atlas":                      nobody,
	"$JS.API.STREAM.DELETE.KV_atlas":                    nobody,
	"$JS.API.DIRECT.GET.KV_atlas":                       nobody,
	"$JS.API.CONSUMER.CREATE.EVENTS":                    nobody,
	"$SYS.REQ.SERVER.PING":                              nobody,
	"$SYS.REQ.ACCOUNT.APP.CONNZ":                        nobody,
	"$SYS.ACCOUNT.APP.DISCONNECT":                       nobody,
	"$SRV.PING":                                         nobody,
	"$SRV.INFO.atlas":                                   nobody,
	"$SRV.STATS":                                        nobody,
	"_INBOX.x":                                          nobody,
	"_INBOX_reader.x":                                   nobody,
	"_R_.x":                                             nobody,
	"atlas.internal.kv.hosts.production.identity.a":     nobody,
	"atlas.v2.register.production.identity.a":           nobody,
	"of.no.concern":                                     nobody,
	"atlas.v1.register.production.identity.a.enabled":   nobody,
	"events.api.CONSUMER.CREATE.EVENTS":                 nobody,
	"atlas.v1.snapshot.production.identity.and.more":    nobody,
	"atlas.v1.heartbeat.production.identity.a.and.more": nobody,
}

// mayHear is the same for subscriptions.
var mayHear = map[string][]string{
	"atlas.v1.routes.production.identity":  production,
	"atlas.v1.routes.production.*":         production,
	"atlas.v1.routes.test.*":               ofTest,
	"atlas.v1.routes.*.identity":           nobody,
	"atlas.v1.digest.production":           production,
	"atlas.v1.digest.production.identity":  production,
	"atlas.v1.digest.test":                 ofTest,
	"feed.v1.production.>":                 production,
	"feed.v1.test.>":                       ofTest,
	"feed.v1.>":                            nobody,
	"atlas.v1.setting.production.identity": readsConfig,
	"atlas.v1.setting.production.billing":  {"configure"},
	"atlas.v1.setting.>":                   nobody,

	"atlas.v1.register.>":                        nobody,
	"atlas.v1.register.production.identity.a":    nobody,
	"atlas.v1.heartbeat.>":                       nobody,
	"atlas.v1.beat.production.identity.a":        nobody,
	"atlas.v1.deregister.>":                      nobody,
	"atlas.v1.flag.>":                            nobody,
	"atlas.v1.drain.>":                           nobody,
	"atlas.v1.weight.>":                          nobody,
	"atlas.v1.meta.>":                            nobody,
	"atlas.v1.configure.>":                       nobody,
	"atlas.v1.settings.production.identity":      nobody,
	"atlas.v1.snapshot.production":               nobody,
	"atlas.v1.status.production":                 nobody,
	"atlas.v1.explain.production.identity":       nobody,
	"events.v1.production.identity.user.created": nobody,
	"events.v1.>":                                nobody,
	"_INBOX_reader.>":                            {"reader"},
	"_INBOX_identity.>":                          {"identity"},
	"_INBOX_flag.>":                              {"flag"},
	"_INBOX_bridge.>":                            nobody,
	"_INBOX.>":                                   nobody,
	"_INBOX_*.>":                                 nobody,
	">":                                          nobody,
	"*.>":                                        nobody,
	"*.*":                                        nobody,
	"_R_.>":                                      nobody,
	"$SYS.>":                                     nobody,
	"$SYS.ACCOUNT.APP.DISCONNECT":                nobody,
	"$JS.>":                                      nobody,
	"$KV.>":                                      nobody,
	"$SRV.>":                                     nobody,
	"atlas.internal.>":                           nobody,
}

func matrix(t *testing.T, s *secured) {
	unchanged := s.unchanged(t)
	for _, name := range s.names() {
		nc := s.as(t, name)
		for subject, allowed := range mayPublish {
			must(t, nc.Publish(subject, nil))
			if got := refusal(t, nc, `Publish to "`+subject+`"`); got == slices.Contains(allowed, name) {
				t.Errorf("%s publishes %s: refused %t", name, subject, got)
			}
		}
		for subject, allowed := range mayHear {
			sub, err := nc.SubscribeSync(subject)
			must(t, err)
			if got := refusal(t, nc, `Subscription to "`+subject+`"`); got == slices.Contains(allowed, name) {
				t.Errorf("%s hears %s: refused %t", name, subject, got)
			}
			_ = sub.Unsubscribe()
		}
	}
	unchanged()
}

// refusal tells whether the server has refused what was sent last. Its word on
// that comes before its answer to the flush.
func refusal(t *testing.T, nc *nats.Conn, of string) bool {
	t.Helper()
	must(t, nc.FlushTimeout(patience))
	err := nc.LastError()
	return err != nil && strings.Contains(err.Error(), of)
}

// unchanged returns a check that nothing was written to the registry meanwhile.
func (s *secured) unchanged(t *testing.T) func() {
	t.Helper()
	before := s.lastWrite(t)
	return func() {
		t.Helper()
		if after := s.lastWrite(t); after != before {
			t.Errorf("the registry was written: sequence %d became %d", before, after)
		}
	}
}

func (s *secured) lastWrite(t *testing.T) uint64 {
	t.Helper()
	stream, err := s.node.store.js.Stream(t.Context(), "KV_atlas")
	must(t, err)
	return stream.CachedInfo().State.LastSeq
}

// evilReplies are subjects at which an answer would do or tell something, had
// the control plane's account taken it, or another user.
var evilReplies = []string{
	"$KV.atlas.hosts.production.identity.victim", "$KV.settings.production.identity.KEY",
	"$JS.API.STREAM.DELETE.KV_atlas", "$JS.API.STREAM.PURGE.KV_atlas", "$JS.API.STREAM.MSG.DELETE.KV_atlas",
	"$SYS.REQ.SERVER.PING", "$SRV.PING", "_R_.x", "_INBOX.victim", "_INBOX_bridge.victim",
	"atlas.internal.kv.hosts.production.identity.victim",
	"atlas.v1.flag.production.identity.victim", "atlas.v1.deregister.production.identity.victim",
	"atlas.v1.routes.production.identity", "atlas.v1.digest.production", "atlas.v1.setting.production.identity.KEY",
	"events.v1.production.identity.instance.evicted", "feed.v1.production.identity.instance.evicted",
}

// replySubjects asks everything that is answered, and has the answer go where
// it should not. The bridge's user has no limits within APP, so it stands for
// whoever got around them.
func replySubjects(t *testing.T, s *secured) {
	victim := s.register(t, "victim")
	inside, err := s.atlas.NATS().SubscribeSync(">")
	must(t, err)
	defer func() { _ = inside.Unsubscribe() }()
	must(t, s.atlas.NATS().FlushTimeout(patience))
	unchanged := s.unchanged(t)
	for _, name := range append(s.names(), "bridge") {
		nc := s.as(t, name)
		for subject, allowed := range mayPublish {
			if name != "bridge" && !slices.Contains(allowed, name) {
				continue
			}
			for _, reply := range evilReplies {
				must(t, nc.PublishRequest(subject, reply, nil))
			}
		}
		must(t, nc.FlushTimeout(patience))
	}
	s.settle(t)
	unchanged()
	for n, _, _ := inside.Pending(); n > 0; n, _, _ = inside.Pending() {
		msg, err := inside.NextMsg(patience)
		must(t, err)
		if slices.Contains(evilReplies, msg.Subject) && !isOwnMessage(msg) {
			t.Errorf("in the control plane's account something came on %s: %s", msg.Subject, msg.Data)
		}
	}
	s.mustLive(t, victim)
}

// isOwnMessage tells what the control plane says on such subjects of its own
// accord: digests, changes, and what a bridge's user asked for under its own name.
func isOwnMessage(msg *nats.Msg) bool {
	return msg.Header.Get(protocol.KindHeader) != "" || protocol.IsPackedChanges(msg.Data) || strings.HasPrefix(msg.Header.Get("Nats-Request-Info"), "{") ||
		msg.Header.Get("Nats-Stream") != "" || strings.HasPrefix(msg.Subject, "events.v1.")
}

// settle waits until everything that was asked before has been dealt with: the
// endpoints take requests in order, and the last is answered after them.
func (s *secured) settle(t *testing.T) {
	t.Helper()
	conn := dial(t, bus.Options{URL: s.url, CredentialsFile: s.files["bridge"]})
	defer conn.Close()
	for _, subject := range []string{protocol.Status("production"), "events.v1.production.identity.last"} {
		_, err := conn.NATS().Request(subject, []byte("{}"), patience)
		must(t, err)
	}
	s.node.tableFor(t, "production")
}

// register has the identity's user register an instance.
func (s *secured) register(t *testing.T, instance string) registry.Lease {
	t.Helper()
	conn := dial(t, bus.Options{URL: s.url, CredentialsFile: s.files["identity"]})
	t.Cleanup(conn.Close)
	lease, err := register(t, conn, victimKey(instance), registry.Registration{Host: "127.0.0.1", Port: s.port}, "")
	must(t, err)
	return lease
}

func victimKey(instance string) registry.Key {
	return registry.Key{Realm: "production", Service: "identity", Instance: instance}
}

// mustLive holds that the victim is as it was registered.
func (s *secured) mustLive(t *testing.T, lease registry.Lease) {
	t.Helper()
	in, found := s.node.tableFor(t, "production").Service("identity").Instance("victim")
	if !found || !in.Enabled || in.Incarnation != lease.Incarnation || in.Status != registry.Passing {
		t.Errorf("the victim is %+v (listed: %t)", in, found)
	}
}

// headers that make a server do something beyond delivering.
var headers = []map[string]string{
	{"Nats-Rollup": "all"}, {"Nats-Rollup": "sub"}, {"Nats-TTL": "1s"},
	{"Nats-Batch-Id": "b", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"},
	{"Nats-Schedule": "@at 2020-01-01T00:00:00Z", "Nats-Schedule-Target": "$KV.atlas.hosts.production.identity.victim"},
	{"Nats-Schedule": "@every 1s", "Nats-Schedule-Target": "events.v1.production.identity.instance.evicted"},
	{"Nats-Expected-Stream": "KV_atlas"}, {"KV-Operation": "PURGE"}, {"Nats-Marker-Reason": "Purge"},
	{"Nats-Request-Info": `{"acc":"ATLAS"}`}, {"nats-request-info": `{"acc":"APP","kind":"Client"}`},
	{"Nats-Trace-Dest": "atlas.v1.flag.production.identity.victim"},
	{"Nats-Trace-Dest": "$KV.atlas.hosts.production.identity.victim"},
	{"Nats-Trace-Dest": "atlas.v1.routes.production.identity", "Nats-Trace-Only": "true"},
	{"Nats-Trace-Dest": "_INBOX_bridge.victim", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
}

func hostileHeaders(t *testing.T, s *secured) {
	victim := s.register(t, "victim")
	first := s.event(t, "first", nil)
	unchanged := s.unchanged(t)
	for _, name := range s.names() {
		nc := s.as(t, name)
		for subject, allowed := range mayPublish {
			if !slices.Contains(allowed, name) {
				continue
			}
			for _, header := range headers {
				s.publishWith(t, nc, name, subject, header)
			}
		}
	}
	s.settle(t)
	unchanged()
	s.mustLive(t, victim)
	stream, err := s.node.store.js.Stream(t.Context(), "EVENTS")
	must(t, err)
	if info := stream.CachedInfo().State; info.FirstSeq > first {
		t.Errorf("events were wiped: the first is %d, there was %d", info.FirstSeq, first)
	}
}

// publishWith sends a message, and holds that nobody has a trace sent where it
// may not publish.
func (s *secured) publishWith(t *testing.T, nc *nats.Conn, name, subject string, header map[string]string) {
	t.Helper()
	msg := nats.NewMsg(subject)
	for key, value := range header {
		msg.Header[key] = []string{value}
	}
	must(t, nc.PublishMsg(msg))
	dest := header["Nats-Trace-Dest"]
	if dest == "" || name == "flag" && strings.HasPrefix(dest, "atlas.v1.flag.") {
		return
	}
	if !refusal(t, nc, `"`+dest+`"`) {
		t.Errorf("%s has the trace of %s sent to %s", name, subject, dest)
	}
}

// event stores one and returns its sequence.
func (s *secured) event(t *testing.T, id string, header map[string]string) uint64 {
	t.Helper()
	nc := s.as(t, "identity")
	msg := nats.NewMsg("events.v1.production.identity.user." + id)
	for key, value := range header {
		msg.Header.Set(key, value)
	}
	reply, err := nc.RequestMsg(msg, patience)
	must(t, err)
	var ack struct {
		Seq uint64
	}
	must(t, json.Unmarshal(reply.Data, &ack))
	if ack.Seq == 0 {
		t.Fatalf("not stored: %s", reply.Data)
	}
	return ack.Seq
}

// foreignTokens are those of another instance, of an earlier life, and none.
func foreignTokens(t *testing.T, s *secured) {
	old := s.register(t, "victim")
	lease := s.register(t, "victim")
	foreign := s.register(t, "other")
	conn := dial(t, bus.Options{URL: s.url, CredentialsFile: s.files["identity"]})
	defer conn.Close()
	unchanged := s.unchanged(t)
	k := victimKey("victim")
	for what, l := range map[string]registry.Lease{
		"an earlier life":         old,
		"another's":               foreign,
		"another's token":         {Incarnation: lease.Incarnation, Token: foreign.Token},
		"the old token":           {Incarnation: lease.Incarnation, Token: old.Token},
		"no token":                {Incarnation: lease.Incarnation},
		"the token's incarnation": {Incarnation: lease.Token, Token: lease.Incarnation},
	} {
		var stale *protocol.Problem
		if err := heartbeat(t, conn, k, l, registry.Critical); !errors.As(err, &stale) {
			t.Errorf("a heartbeat with %s: %v", what, err)
		}
		_, err := ask[struct{}](t, conn, protocol.Subject(protocol.Deregister, k), protocol.DeregisterRequest{Incarnation: l.Incarnation, Token: l.Token})
		if !errors.As(err, &stale) {
			t.Errorf("a deregistration with %s: %v", what, err)
		}
	}
	unchanged()
	s.mustLive(t, lease)
}

// strangers have no credentials, somebody else's password, a key that is not
// known, or no authority to trust.
func strangers(t *testing.T, s *secured) {
	known, err := bus.ReadCredentials(s.files["reader"])
	must(t, err)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, []byte(known.CA), 0o600))
	dir := filepath.Join(t.TempDir(), "keys")
	must(t, access.Init(dir, access.InitOptions{}))
	other, err := access.Open(dir)
	must(t, err)
	stranger, err := other.Add("reader", grants["reader"])
	must(t, err)
	file := filepath.Join(t.TempDir(), "stranger.json")
	must(t, access.WriteNew(file, stranger))
	for what, opts := range map[string]bus.Options{
		"no credentials":    {CAFile: ca},
		"a guessed login":   {CAFile: ca, User: "atlas", Password: "atlas"},
		"the dev user":      {CAFile: ca, User: "app", Password: "app"},
		"another's key":     {CAFile: ca, CredentialsFile: file},
		"another authority": {CredentialsFile: file},
		"no TLS":            {URL: strings.Replace(s.url, "tls://", "nats://", 1), User: "app", Password: "app"},
	} {
		opts.URL, opts.FailFast, opts.Logger = cmp.Or(opts.URL, s.url), true, quiet()
		if conn, err := bus.Connect(t.Context(), opts); err == nil {
			conn.Close()
			t.Errorf("%s: let in", what)
		} else if text := fmt.Sprint(err); strings.Contains(text, stranger.Seed) {
			t.Errorf("%s: the error has the seed in it", what)
		}
	}
}
