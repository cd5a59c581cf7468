package atlas

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
	"fairlead.dev/registry/atlasclient"
	"fairlead.dev/registry/protocol"
)

// A member is one of several nodes, with a connection of its own.
type member struct {
	*Node
	conn  *bus.Conn
	valve *valve
}

// kill takes the connection away, as the end of the process would.
func (m *member) kill() { m.conn.NATS().Close() }

// startMembers starts nodes one after the other, so that the first one leads.
func startMembers(t *testing.T, b *realBus, count int) []*member {
	t.Helper()
	all := make([]*member, count)
	for i := range all {
		all[i] = startMember(t, b)
	}
	eventually(t, "all know the leader", func() bool {
		for _, m := range all {
			if s := m.status(t); len(s.Nodes) != count || leaderIn(s) != all[0].status(t).Node {
				return false
			}
		}
		return true
	})
	return all
}

func startMember(t *testing.T, b *realBus) *member {
	t.Helper()
	m := &member{valve: newValve(b.server)}
	opts := b.server.AtlasOptions()
	opts.InProcess = m.valve
	m.conn = dial(t, opts)
	t.Cleanup(m.conn.Close)
	n, err := Start(t.Context(), Options{Conn: m.conn, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	m.Node = n
	t.Cleanup(func() {
		m.valve.open()
		m.end(t)
	})
	return m
}

func (m *member) end(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := m.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func (m *member) status(t *testing.T) protocol.StatusReply {
	t.Helper()
	s, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func leaderIn(s protocol.StatusReply) string {
	for _, n := range s.Nodes {
		if n.Leads {
			return n.Node
		}
	}
	return ""
}

func (m *member) isLeader(t *testing.T) bool {
	t.Helper()
	var leads bool
	if err := m.ask(t.Context(), func(s *state) { leads = s.leads() }); err != nil {
		t.Fatal(err)
	}
	return leads
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout := time.After(patience)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-timeout:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// A valve is a way to the bus that can be shut: what is sent through it then
// waits, as it does in a network that is cut.
type valve struct {
	to   nats.InProcessConnProvider
	mu   sync.Mutex
	turn *sync.Cond
	shut bool
}

func newValve(to nats.InProcessConnProvider) *valve {
	v := &valve{to: to}
	v.turn = sync.NewCond(&v.mu)
	return v
}

func (v *valve) InProcessConn() (net.Conn, error) {
	v.pass()
	c, err := v.to.InProcessConn()
	return &valvedConn{Conn: c, v: v}, err
}

func (v *valve) pass() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.shut {
		v.turn.Wait()
	}
}

func (v *valve) set(shut bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shut = shut
	v.turn.Broadcast()
}

func (v *valve) close() { v.set(true) }
func (v *valve) open()  { v.set(false) }

type valvedConn struct {
	net.Conn
	v *valve
	// waiting is what was written while the valve was shut, as a kernel would
	// hold it.
	waiting []byte
}

func (c *valvedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.v.pass()
	return n, err
}

func (c *valvedConn) Write(p []byte) (int, error) {
	c.v.mu.Lock()
	c.waiting = append(c.waiting, p...)
	if c.v.shut {
		c.v.mu.Unlock()
		return len(p), nil
	}
	all := c.waiting
	c.waiting = nil
	c.v.mu.Unlock()
	_, err := c.Conn.Write(all)
	return len(p), err
}

func TestOneOfSeveralNodesLeads(t *testing.T) {
	b := startBus(t, t.TempDir())
	nodes := startMembers(t, b, 3)
	for i, m := range nodes {
		if got := m.isLeader(t); got != (i == 0) {
			t.Errorf("node %d leads: %v", i, got)
		}
	}
	status, err := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()}).Status(t.Context(), "local")
	if err != nil || len(status.Nodes) != 3 || leaderIn(status) != nodes[0].status(t).Node {
		t.Errorf("status %+v, %v", status.Nodes, err)
	}
	if _, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "every node lists the instance", func() bool {
		for _, m := range nodes {
			if m.tableFor(t, "local").Len() != 1 {
				return false
			}
		}
		return true
	})
}

func TestALeaderThatStopsHandsOverBeforeItIsMissed(t *testing.T) {
	b := startBus(t, t.TempDir())
	nodes := startMembers(t, b, 2)
	nodes[0].end(t)
	began := time.Now()
	eventually(t, "the other one leads", func() bool { return nodes[1].isLeader(t) })
	if took := time.Since(began); took > presentFor/2 {
		t.Errorf("it took %v: the leader's last word was not heard", took)
	}
}

func TestRegistrationsGoThroughWithAnyNodeKilled(t *testing.T) {
	for victim := range 3 {
		t.Run(fmt.Sprint("node ", victim), func(t *testing.T) {
			b := startBus(t, t.TempDir())
			nodes := startMembers(t, b, 3)
			nodes[victim].kill()
			// Until the bus has noticed it hands requests to the dead one, too.
			eventually(t, "the bus asks those that are left", func() bool {
				_, err := b.app.NATS().Request(protocol.Subject(protocol.Register, host001), nil, patience/20)
				return err == nil
			})
			for i := range 30 {
				k := registry.Key{Realm: "local", Service: "identity", Instance: fmt.Sprint("i", i)}
				lease, err := register(t, b.app, k, endpoint(t, k, "life"), "life")
				if err != nil {
					t.Fatal(err)
				}
				if i%3 == 0 {
					if _, err := ask[struct{}](t, b.app, protocol.Subject(protocol.Deregister, k),
						protocol.DeregisterRequest{Incarnation: "life", Token: lease.Token}); err != nil {
						t.Fatal(err)
					}
				}
			}
			survivor := nodes[(victim+1)%3]
			eventually(t, "the survivor lists what is registered", func() bool { return survivor.tableFor(t, "local").Len() == 20 })
		})
	}
}

func TestAConnectionThatClosedWhileNobodyLedIsProbed(t *testing.T) {
	b := startBus(t, t.TempDir())
	nodes := startMembers(t, b, 2)
	program := dial(t, bus.Options{URL: b.server.ClientURL()})
	if _, err := register(t, program, host001, nowhere(t), "life-1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second node knows it", func() bool { return nodes[1].tableFor(t, "local").Len() == 1 })
	nodes[0].kill()
	program.Close()
	nodes[1].until(t, "evicted by the new leader, long before its lease ends", b, host001, gone)
}

func TestAPausedLeaderComesBackAsAFollower(t *testing.T) {
	b := startBus(t, t.TempDir())
	nodes := startMembers(t, b, 2)
	lease, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	resume, paused := make(chan struct{}), make(chan struct{})
	go nodes[0].tell(t.Context(), func(*state) { close(paused); <-resume })
	<-paused
	eventually(t, "the other one leads", func() bool { return nodes[1].isLeader(t) })
	// What the paused one had judged is of a revision that is no more.
	change := lease
	eventually(t, "a status is written by the new leader", func() bool {
		reply, err := b.app.NATS().Request(protocol.Subject(protocol.Heartbeat, host001),
			fmt.Appendf(nil, `{"incarnation":"life-1","token":%q,"status":"warning"}`, change.Token), time.Second)
		return err == nil && reply.Header.Get("Nats-Service-Error-Code") == ""
	})
	close(resume)
	if nodes[0].isLeader(t) {
		t.Error("it still leads after the pause")
	}
	_, err = nodes[0].store.delete(t.Context(), bucketKey(host001, aspectRecord), lease.Revision.Sequence, causeEvicted+": late")
	if !errors.Is(err, errMoved) {
		t.Errorf("its late eviction: %v", err)
	}
	eventually(t, "both agree again", func() bool {
		s := nodes[0].status(t)
		return len(s.Nodes) == 2 && leaderIn(s) == nodes[1].status(t).Node
	})
	if s := nodes[0].status(t); !s.Settling {
		t.Error("it judges although it has heard nothing for a while")
	}
}

func TestRequestsThatWaitedForAPauseToEndAreRefused(t *testing.T) {
	b := startBus(t, t.TempDir())
	m := startMember(t, b)
	err := m.ask(t.Context(), func(s *state) {
		now := time.Now()
		s.lastRan = now.Add(-time.Minute)
		s.noticePause(now)
		if err := s.resumed(now); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("just after the pause: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it registers a little later", func() bool {
		_, err := register(t, b.app, host001, nowhere(t), "life-1")
		return err == nil
	})
}

func TestAWriteThatNobodyWaitsForIsNotMade(t *testing.T) {
	ctx, resign := context.WithCancel(t.Context())
	w := &writer{in: make(chan *write, 1)}
	late := &write{ctx: ctx, msg: nats.NewMsg("late"), done: make(chan written, 1)}
	w.in <- late
	resign()
	if group := w.gather(); len(group) != 0 {
		t.Errorf("%d writes are to be made", len(group))
	}
	if end := <-late.done; !errors.Is(end.err, context.Canceled) {
		t.Errorf("its end: %v", end.err)
	}
}

func TestANodeThatIsCutOffStepsDownAndCatchesUp(t *testing.T) {
	b := startBus(t, t.TempDir())
	nodes := startMembers(t, b, 3)
	nodes[0].valve.close()
	eventually(t, "the leader that hears nobody leads no more", func() bool { return !nodes[0].isLeader(t) })
	eventually(t, "another one leads", func() bool { return nodes[1].isLeader(t) })
	kv := bucketOf(t, b)
	if _, err := kv.PutString(t.Context(), bucketKey(host001, aspectRecord), `{"host":"127.0.0.1","port":5000}`); err != nil {
		t.Fatal(err)
	}
	nodes[0].valve.open()
	eventually(t, "it has caught up", func() bool { return nodes[0].tableFor(t, "local").Len() == 1 })
	if nodes[0].isLeader(t) {
		t.Error("it took the lead back")
	}
}

func TestAHeartbeatThatAsksIsAnsweredOnce(t *testing.T) {
	b := startBus(t, t.TempDir())
	nodes := startMembers(t, b, 3)
	lease, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1")
	if err != nil {
		t.Fatal(err)
	}
	answers, err := b.app.NATS().SubscribeSync(b.app.NATS().NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	const asked = 20
	for range asked {
		body := fmt.Appendf(nil, `{"incarnation":"life-1","token":%q}`, lease.Token)
		if err := b.app.NATS().PublishRequest(protocol.Subject(protocol.Heartbeat, host001), answers.Subject, body); err != nil {
			t.Fatal(err)
		}
		if _, err := answers.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range nodes {
		m.status(t)
		if err := m.conn.NATS().FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
	}
	if more, _, _ := answers.Pending(); more != 0 {
		t.Errorf("%d answers more than the %d asked for", more, asked)
	}
}

// A change is announced once and published at least once, whatever happens to
// the leader in the meantime.
func TestNothingIsLostOrToldTwiceWhenTheLeaderGoes(t *testing.T) {
	cases := map[string]func(*testing.T, *member){
		"killed":  func(_ *testing.T, m *member) { m.kill() },
		"stopped": func(t *testing.T, m *member) { m.end(t) },
		"cut off": func(_ *testing.T, m *member) { m.valve.close() },
	}
	for name, loseLeader := range cases {
		t.Run(name, func(t *testing.T) {
			b := startBus(t, t.TempDir())
			nodes := startMembers(t, b, 3)
			if _, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1"); err != nil {
				t.Fatal(err)
			}
			published := b.published(t)
			kv := bucketOf(t, b)
			const flips = 200
			var last uint64
			for i := range flips {
				if i == flips/4 {
					loseLeader(t, nodes[0])
				}
				var err error
				if last, err = kv.PutString(t.Context(), bucketKey(host001, aspectFlag), fmt.Sprint(i%2 == 0)); err != nil {
					t.Fatal(err)
				}
			}
			nodes[1].until(t, "applied", b, host001, func(in registry.Instance, _ bool) bool { return in.Revision == last })
			eventually(t, "another one leads", func() bool { return nodes[1].isLeader(t) || nodes[2].isLeader(t) })
			eventually(t, "every change was published", func() bool {
				seen := published()
				for seq := last - flips + 2; seq <= last; seq++ {
					if !seen[seq] {
						return false
					}
				}
				return true
			})
			eventually(t, "every change was announced", func() bool { return len(b.announced(t)) >= flips })
			for seq, times := range b.announced(t) {
				if times != 1 {
					t.Errorf("the event of %d is there %d times", seq, times)
				}
			}
		})
	}
}

// published listens to the changes of the realm; the result tells which
// revisions have been seen.
func (b *realBus) published(t *testing.T) func() map[uint64]bool {
	t.Helper()
	var mu sync.Mutex
	seen := map[uint64]bool{}
	stop, err := atlasclient.New(b.app, atlasclient.Options{Logger: quiet()}).Listen(registry.Interest{Realm: "local"}, func(u registry.Update) {
		mu.Lock()
		defer mu.Unlock()
		if u.Changes == nil {
			return
		}
		for _, c := range u.Changes.Changes {
			// A change makes up for those that it left out.
			for seq := c.Previous + 1; seq <= c.Revision; seq++ {
				seen[seq] = true
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return func() map[uint64]bool {
		mu.Lock()
		defer mu.Unlock()
		copied := make(map[uint64]bool, len(seen))
		for seq := range seen {
			copied[seq] = true
		}
		return copied
	}
}

// announced counts, by sequence, the stored events of instances.
func (b *realBus) announced(t *testing.T) map[uint64]int {
	t.Helper()
	js := b.streams(t)
	stream, err := js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[uint64]int{}
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m.Subject, ".instance.") {
			counts[sequenceOf(t, m.Header.Get("ce-id"))]++
		}
	}
	return counts
}

// sequenceOf reads the second part of an event's id.
func sequenceOf(t *testing.T, id string) uint64 {
	t.Helper()
	parts := strings.Split(id, "-")
	if len(parts) < 2 {
		t.Fatalf("event id %q", id)
	}
	seq, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		t.Fatalf("event id %q: %v", id, err)
	}
	return seq
}

func TestABucketDeletedByHandIsRebuiltByOneOfSeveral(t *testing.T) {
	b := startBus(t, t.TempDir())
	nodes := startMembers(t, b, 3)
	if _, err := register(t, b.app, host001, endpoint(t, host001, "life-1"), "life-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := ask[protocol.RevisionReply](t, b.app, protocol.Subject(protocol.Flag, host001),
		protocol.FlagRequest{Flag: &registry.Flag{Reason: "why"}}); err != nil {
		t.Fatal(err)
	}
	before := nodes[0].status(t).Revision.Epoch
	js := b.streams(t)
	if err := js.DeleteKeyValue(t.Context(), "atlas"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all are in one new epoch, with everything in it", func() bool {
		epoch := nodes[0].status(t).Revision.Epoch
		for _, m := range nodes {
			in, found := m.tableFor(t, "local").Service("identity").Instance(host001.Instance)
			if e := m.status(t).Revision.Epoch; e != epoch || e == before || !found || in.Enabled || in.Reason != "why" {
				return false
			}
		}
		return true
	})
}
