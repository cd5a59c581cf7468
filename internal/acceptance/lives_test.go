package acceptance

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"fairlead.dev/registry"
)

// leaseOf is the part of a registration's answer by which later messages are
// known.
type leaseOf struct {
	Incarnation string `json:"incarnation"`
	Token       string `json:"token"`
}

func (l leaseOf) String() string {
	return fmt.Sprintf(`{"incarnation":%q,"token":%q}`, l.Incarnation, l.Token)
}

func register(t *testing.T, status int, at, registration string, args ...string) leaseOf {
	t.Helper()
	return decode[leaseOf](t, expect(t, status, append(args, "-X", "PUT", "-d", registration, at)...))
}

func TestAnOldIncarnationsLateMessagesChangeNothing(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	s := startSite(t)
	at := r.instanceURL("site", "one")
	old := register(t, 201, at, s.registration(), "-H", "Fairlead-Incarnation: first")
	now := register(t, 200, at, s.registration(), "-H", "Fairlead-Incarnation: second")
	before := r.revision(t)

	all := []leaseOf{old, {now.Incarnation, old.Token}, {old.Incarnation, now.Token}}
	for _, late := range all {
		for _, call := range [][]string{{"-X", "POST", at + "/heartbeat"}, {"-X", "DELETE", at}} {
			body := expect(t, 409, append(call, "-d", late.String())...)
			if !contains(body, "local/site/one", "stale") {
				t.Errorf("%v: %s", call, body)
			}
		}
	}
	for _, late := range all {
		r.lateOnTheBus(t, late)
	}

	if in := r.instances(t, "site")["one"]; in.Incarnation != "second" || r.revision(t) != before {
		t.Errorf("it is now %+v, as of %s", in, r.revision(t))
	}
	// The lease that holds is still the second's.
	expect(t, 204, "-X", "POST", at+"/heartbeat", "-d", now.String())
	expect(t, 204, "-X", "DELETE", at, "-d", now.String())
}

func (r *realm) lateOnTheBus(t *testing.T, late leaseOf) {
	t.Helper()
	app := r.app(t)
	for _, verb := range []string{"heartbeat", "deregister"} {
		subject := "atlas.v1." + verb + ".local.site.one"
		if refusal := refusalOf(t, app, subject, late.String()); !strings.Contains(refusal, "stale") {
			t.Errorf("%s: %s", subject, refusal)
		}
		// Without asking for an answer.
		if err := app.Publish(subject, []byte(late.String())); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Flush(); err != nil {
		t.Fatal(err)
	}
}

// app connects to the bus as programs do: without any credentials.
func (r *realm) app(t *testing.T) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(r.NATS, nats.Name("acceptance"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// refusalOf sends a request and returns the problem it gets, empty if it is
// none.
func refusalOf(t *testing.T, conn *nats.Conn, subject, body string) string {
	t.Helper()
	msg, err := conn.Request(subject, []byte(body), patience)
	if err != nil {
		return err.Error()
	}
	if msg.Header.Get("Nats-Service-Error-Code") == "" {
		return ""
	}
	return string(msg.Data)
}

func TestASecondProgramUnderTheSameIDIsRefusedWhileTheFirstAnswers(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	first, second := startSite(t), startSite(t)
	at := r.instanceURL("site", "one")
	register(t, 201, at, first.registration())
	before := r.revision(t)
	endpoints := []string{fmt.Sprintf("127.0.0.1:%d", first.port), fmt.Sprintf("127.0.0.1:%d", second.port)}

	if body := expect(t, 409, "-X", "PUT", "-d", second.registration(), at); !contains(body, endpoints...) {
		t.Errorf("over HTTP both are not named: %s", body)
	}
	refusal := refusalOf(t, r.app(t), "atlas.v1.register.local.site.one", `{"registration":`+second.registration()+`}`)
	if !contains(refusal, "conflict", endpoints[0], endpoints[1]) {
		t.Errorf("over NATS both are not named: %s", refusal)
	}
	wrapped := r.wrap(t, "site", "", "sh", "-c", "exec python3 -m http.server $PORT --bind 127.0.0.1")
	if code, line := wrapped.code(t), lastLine(wrapped.said.String()); code != 1 || !contains(line, endpoints[0]) || strings.Count(line, "://127.0.0.1:") != 2 {
		t.Errorf("under the wrapper both are not named: exit code %d: %s", code, line)
	}
	if in := r.instances(t, "site")["one"]; in.Port != first.port || r.revision(t) != before {
		t.Errorf("it is now %+v, as of %s", in, r.revision(t))
	}
	first.kill()
	register(t, 200, at, second.registration())
	if in := r.instances(t, "site")["one"]; in.Port != second.port {
		t.Errorf("after the first has died it is %+v", in)
	}
}

// A process that did not run for a while, as after a laptop's sleep, does not
// know that another one has its id now.
func TestAProcessThatWakesUpDoesNotTakeItsIDBackFromALivingOne(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	asleep := r.startIdentity(t, "identity-1")
	old := r.instances(t, "identity")["identity-1"]
	asleep.signal(syscall.SIGSTOP)
	t.Cleanup(func() { asleep.signal(syscall.SIGCONT) })
	awake := start(t, "identity-1 anew", r.member("identity-1"), fairlead, "example", "identity")
	isAwake := func(in registry.Instance, listed bool) bool { return passes(in, listed) && in.Port != old.Port }
	r.await(t, patience, "identity", "identity-1", "is the new one", isAwake)

	asleep.signal(syscall.SIGCONT)
	within(t, patience, "the old one is told", func() bool { return contains(asleep.said.String(), "instance id is held by another endpoint") })
	holds(t, 3*time.Second, 100*time.Millisecond, "the new one has the id", func() bool {
		in, listed := r.instances(t, "identity")["identity-1"]
		return isAwake(in, listed) && curl(t, "-H", byHeader, r.Sidecar+"/users/1").body == expectedUser
	})
	awake.kill()
	r.await(t, patience, "identity", "identity-1", "is the old one, now that the new one is dead", func(in registry.Instance, listed bool) bool {
		return passes(in, listed) && in.Port == old.Port
	})
}
