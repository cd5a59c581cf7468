package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairlead.dev/internal/history"
	"fairlead.dev/registry"
	"fairlead.dev/registry/atlasclient"
)

const (
	workers     = 6
	keysOfWork  = 4
	betweenWork = 5 * time.Millisecond
	// answerWithin bounds one call; beyond it, nobody knows what it did.
	answerWithin = 2 * time.Second
	// afterSilence is the pause after a call without an answer: each doubles
	// what may have happened.
	afterSilence = 3 * time.Second
	beatEvery    = time.Second
)

// A workload is several clients that fight over a few keys of the service
// "work", and flip their flags.
type workload struct {
	history history.History
	fleet   *fleet
	stop    func()
	// blind is set while the bucket cannot be trusted, because it is the
	// bucket that is broken: clients then write and do not read it, and its
	// sequences begin anew.
	blind atomic.Bool
}

func startWorkload(t *testing.T, f *fleet) *workload {
	t.Helper()
	w := &workload{fleet: f}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	w.stop = func() { cancel(); done.Wait() }
	t.Cleanup(w.stop)
	for n := range workers {
		c := newContender(t, w, n)
		done.Go(func() { c.run(ctx) })
	}
	return w
}

// readAll puts on record what is there in the end: whatever was acknowledged
// has to show in it.
func (w *workload) readAll(t *testing.T) {
	t.Helper()
	c := &contender{work: w, client: workers}
	for n := range keysOfWork {
		for _, read := range []func(registry.Key) history.Answer{c.readLife, c.readFlag} {
			within(t, healedWithin, workKey(n).String()+" can be read", func() bool { return read(workKey(n)).Outcome == history.Done })
		}
	}
}

func workKey(n int) registry.Key {
	return registry.Key{Realm: "local", Service: "work", Instance: fmt.Sprintf("key-%d", n)}
}

// A contender is one client. Its endpoint answers for as long as the test
// lasts, so nobody may take a key from it.
type contender struct {
	work     *workload
	client   int
	atlas    *atlasclient.Client
	operator registry.Atlas
	at       registry.Registration
	held     map[registry.Key]registry.Life
	lives    int
	lastBeat time.Time
	silence  time.Time // when a call last had no answer
}

func newContender(t *testing.T, w *workload, n int) *contender {
	t.Helper()
	at := registry.Registration{Host: w.fleet.host, Port: startMember(t, w.fleet.host), Health: "/"}.WithDefaults()
	instances, operators := w.fleet.session(t, w.fleet.instanceLogin, false), w.fleet.session(t, w.fleet.operatorLogin, false)
	return &contender{work: w, client: n, atlas: instances.Atlas(), operator: operators.Atlas(), at: at, held: map[registry.Key]registry.Life{}}
}

// startMember serves what answers to the name of every key, because a call
// without an answer may take effect at any time. It returns the port.
func startMember(t *testing.T, host string) int {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Fairlead-Instance", "local/work"+r.URL.Path)
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-served })
	return listener.Addr().(*net.TCPAddr).Port
}

func (c *contender) run(ctx context.Context) {
	tick := time.NewTicker(betweenWork)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.beat()
			if time.Since(c.silence) > afterSilence {
				c.act(workKey(rand.N(keysOfWork)))
			}
		case <-ctx.Done():
			return
		}
	}
}

func (c *contender) act(k registry.Key) {
	life, holds := c.held[k]
	switch n := rand.N(10); {
	case n < 2:
		c.setFlag(k, rand.N(2) == 0)
	case n < 3 && !c.work.blind.Load():
		c.readFlag(k)
	case n < 5 && !c.work.blind.Load():
		c.readLife(k)
	case holds:
		c.deregister(k, life)
	default:
		c.register(k)
	}
}

// beat keeps what it holds, as a registrar would. Messages that are lost while
// the bus is away are nobody's problem.
func (c *contender) beat() {
	if time.Since(c.lastBeat) < beatEvery {
		return
	}
	c.lastBeat = time.Now()
	for k, life := range c.held {
		_ = c.atlas.Beat(k, registry.Heartbeat{Incarnation: life.Incarnation, Token: life.Token, Status: registry.Passing})
	}
}

func (c *contender) do(call history.Call, key registry.Key, ask func(context.Context) history.Answer) history.Answer {
	call.Key = key.String()
	answer := c.work.history.Record(c.client, call, func() history.Answer {
		ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
		defer cancel()
		return ask(ctx)
	})
	if answer.Outcome == history.Unknown {
		c.silence = time.Now()
	}
	return answer
}

func (c *contender) register(k registry.Key) {
	c.lives++
	life := registry.Life{Incarnation: fmt.Sprintf("client%d-%d", c.client, c.lives)}.WithDefaults()
	call := history.Call{Kind: history.Register, Life: life.Incarnation, Endpoint: c.at.Endpoint()}
	at := c.at
	at.Health = "/" + k.Instance
	answer := c.do(call, k, func(ctx context.Context) history.Answer {
		lease, err := c.atlas.Register(ctx, k, at, life)
		return c.acknowledged(err, lease.Revision)
	})
	// Without an answer it may hold the key: it beats, and gives it back later.
	if answer.Outcome != history.Refused {
		c.held[k] = life
	}
}

func (c *contender) deregister(k registry.Key, life registry.Life) {
	answer := c.do(history.Call{Kind: history.Deregister, Life: life.Incarnation}, k, func(ctx context.Context) history.Answer {
		return history.Answer{Outcome: outcomeOf(c.atlas.Deregister(ctx, k, life.Incarnation, life.Token))}
	})
	if answer.Outcome != history.Unknown {
		delete(c.held, k)
	}
}

func (c *contender) setFlag(k registry.Key, enabled bool) {
	flag := registry.Flag{Enabled: enabled, Owner: fmt.Sprintf("client%d", c.client)}
	c.do(history.Call{Kind: history.SetFlag, Enabled: enabled}, k, func(ctx context.Context) history.Answer {
		revision, err := c.operator.SetFlag(ctx, k, &flag)
		return c.acknowledged(err, revision)
	})
}

func (c *contender) readLife(k registry.Key) history.Answer {
	return c.do(history.Call{Kind: history.ReadLife}, k, func(context.Context) history.Answer {
		value, err := c.work.fleet.truth.last("hosts." + k.Dotted())
		if err != nil {
			return history.Answer{Outcome: history.Unknown}
		}
		var s stored
		_ = json.Unmarshal([]byte(value), &s)
		return history.Answer{Life: s.Atlas.Incarnation}
	})
}

func (c *contender) readFlag(k registry.Key) history.Answer {
	return c.do(history.Call{Kind: history.ReadFlag}, k, func(context.Context) history.Answer {
		value, err := c.work.fleet.truth.last("hosts." + k.Dotted() + ".enabled")
		if err != nil {
			return history.Answer{Outcome: history.Unknown}
		}
		return history.Answer{Enabled: value == "" || strings.Contains(value, `"enabled":true`)}
	})
}

func (c *contender) acknowledged(err error, r registry.Revision) history.Answer {
	if c.work.blind.Load() {
		r.Sequence = 0
	}
	return history.Answer{Outcome: outcomeOf(err), Sequence: r.Sequence}
}

// outcomeOf tells a refusal from no answer.
func outcomeOf(err error) history.Outcome {
	switch {
	case err == nil:
		return history.Done
	case errors.Is(err, registry.ErrConflict), errors.Is(err, registry.ErrStale):
		return history.Refused
	}
	return history.Unknown
}
