package smartservice

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/follow"
)

func TestServesAndRegisters(t *testing.T) {
	realm := newRealm(t)
	table := realm.follow(t)
	a := realm.app(t, "identity", Options{Version: "1.4.2", Zone: "a", Weight: 50, Metadata: map[string]string{"git": "abc"}})
	a.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "user "+r.PathValue("id")) })
	start(t, a)
	until(t, table, "identity", "registered", func(s *registry.Service) bool { return s.Len() == 1 })
	now, _ := table.Table()
	in := now.Service("identity").Instances()[0]
	if in.Version != "1.4.2" || in.Zone != "a" || in.Weight != 50 || in.Metadata["git"] != "abc" || in.Status != registry.Passing {
		t.Errorf("registered as %+v", in)
	}
	if got := get(t, "http://"+in.Addr()+"/users/1"); got.status != 200 || got.body != "user 1" {
		t.Errorf("got %+v", got)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, table, "identity", "gone", func(s *registry.Service) bool { return s.Len() == 0 })
}

// A service must come up, and be ready, while the control plane is away.
func TestStartsWithoutTheRegistry(t *testing.T) {
	realm := newRealm(t)
	realm.GoAway()
	a := realm.app(t, "identity", Options{})
	start(t, a)
	if got := get(t, a.URL()+"/health/ready"); got.status != http.StatusOK {
		t.Errorf("alone it answers %+v", got)
	}
	if got := get(t, a.URL()+"/health"); !strings.Contains(got.body, "not registered") {
		t.Errorf("alone it says %s", got.body)
	}
	realm.ComeBack()
	registered(t, a)
	if got := get(t, a.URL()+"/health"); !strings.Contains(got.body, "registered at revision") {
		t.Errorf("registered it says %s", got.body)
	}
}

func TestStopsWithoutTheRegistry(t *testing.T) {
	realm, logs := newRealm(t), &entries{}
	realm.logs = logs
	a := realm.app(t, "identity", Options{})
	start(t, a)
	registered(t, a)
	realm.GoAway()
	if err := a.Stop(t.Context()); err != nil {
		t.Errorf("an absent registry is an error of the stop: %v", err)
	}
	if len(logs.lines(t, "registry was not told")) == 0 {
		t.Error("nothing was logged about it")
	}
}

// What a realm refuses today it may allow tomorrow, and nobody restarts all
// services for it.
func TestARefusedServiceSaysSoUntilItIsAllowed(t *testing.T) {
	realm, logs := newRealm(t), &entries{}
	realm.logs = logs
	table := realm.follow(t)
	realm.refusal.Store("must be in an allowed network")
	a := realm.app(t, "identity", Options{})
	start(t, a)
	if err := a.Registered(t.Context()); err == nil {
		t.Error("it is registered")
	}
	if got := get(t, a.URL()+"/health"); !strings.Contains(got.body, "not registered: ") || !strings.Contains(got.body, "must be in an allowed network") {
		t.Errorf("refused it says %s", got.body)
	}
	realm.refusal.Store("")
	realm.ComeBack() // a new connection, which spares the test the half minute
	until(t, table, "identity", "registered", func(s *registry.Service) bool { return s.Len() == 1 })
	if len(logs.lines(t, "registration refused, trying again every 30s")) != 1 {
		t.Errorf("it logged %s", logs.String())
	}
}

func TestARefusedServiceStopsQuietly(t *testing.T) {
	realm, logs := newRealm(t), &entries{}
	realm.logs = logs
	realm.refusal.Store("must be in an allowed network")
	a := realm.app(t, "identity", Options{})
	start(t, a)
	if err := a.Registered(t.Context()); err == nil {
		t.Error("it is registered")
	}
	if err := a.Stop(t.Context()); err != nil || len(logs.lines(t, "registry was not told")) > 0 {
		t.Errorf("stopping says %v and logs %s", err, logs.String())
	}
}

func TestHealthReachesTheRegistry(t *testing.T) {
	realm := newRealm(t)
	table := realm.follow(t)
	var down atomic.Bool
	a := realm.app(t, "identity", Options{})
	a.Check("db", func(context.Context) error {
		if down.Load() {
			return errDown
		}
		return nil
	}, Every(time.Millisecond))
	start(t, a)
	status := func(want registry.Status) func(*registry.Service) bool {
		return func(s *registry.Service) bool { return s.Len() == 1 && s.Instances()[0].Status == want }
	}
	until(t, table, "identity", "passing", status(registry.Passing))
	down.Store(true)
	until(t, table, "identity", "critical", status(registry.Critical))
	down.Store(false)
	until(t, table, "identity", "passing again", status(registry.Passing))
}

// The whole of draining: callers that follow the table and repeat nothing, not
// even what was never sent, lose no request of any method while instances
// stop one after the other.
func TestDrainLosesNoRequest(t *testing.T) {
	realm := newRealm(t)
	table := realm.follow(t)
	var served atomic.Int64
	apps := make([]*App, 4)
	for i := range apps {
		apps[i] = realm.app(t, "identity", Options{DrainDelay: 100 * time.Millisecond, Logger: discard()})
		apps[i].HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			served.Add(1)
			_, _ = w.Write(body)
		})
		start(t, apps[i])
	}
	until(t, table, "identity", "complete", func(s *registry.Service) bool { return s.Len() == len(apps) })

	load := newLoad(table, plainClient(t))
	load.begin(16)
	for _, a := range apps[:3] {
		load.more(t, 500)
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	load.more(t, 500)
	load.end()
	for _, err := range load.failures {
		t.Error(err)
	}
	if load.answered.Load() != served.Load() {
		t.Errorf("callers had %d answers, the services served %d", load.answered.Load(), served.Load())
	}
}

// A load is callers that send GET and POST to whatever the table lists.
type load struct {
	table    *follow.Follower
	client   *http.Client
	answered atomic.Int64
	progress chan struct{}
	quit     chan struct{}
	callers  sync.WaitGroup
	mu       sync.Mutex
	failures []error
}

func newLoad(table *follow.Follower, client *http.Client) *load {
	return &load{table: table, client: client, progress: make(chan struct{}, 64), quit: make(chan struct{})}
}

func (l *load) begin(callers int) {
	for range callers {
		l.callers.Go(l.call)
	}
}

func (l *load) call() {
	for n := 0; ; n++ {
		if err := l.once([]string{http.MethodGet, http.MethodPost}[n%2]); err != nil {
			l.mu.Lock()
			l.failures = append(l.failures, err)
			l.mu.Unlock()
		}
		select {
		case <-l.quit:
			return
		case l.progress <- struct{}{}:
		default:
		}
	}
}

func (l *load) once(method string) error {
	now, _ := l.table.Table()
	candidates, err := now.Service("identity").Candidates()
	if err != nil {
		return err
	}
	in := candidates[rand.IntN(len(candidates))]
	req, err := http.NewRequest(method, "http://"+in.Addr()+"/echo", strings.NewReader("hello"))
	if err != nil {
		return err
	}
	got, err := send(l.client, req)
	if err == nil && (got.status != http.StatusOK || got.body != "hello") {
		err = errors.New(method + " answered " + got.body)
	}
	l.answered.Add(1)
	return err
}

// more waits until the callers had n more answers.
func (l *load) more(t *testing.T, n int) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for range n {
		select {
		case <-l.progress:
		case <-timeout:
			t.Fatal("the load makes no progress")
		}
	}
}

func (l *load) end() {
	close(l.quit)
	l.callers.Wait()
}

// What a caller sees in the drain delay: answers as before, asked to go.
func TestWhileDraining(t *testing.T) {
	realm := newRealm(t)
	table := realm.follow(t)
	a := realm.app(t, "identity", Options{DrainDelay: time.Hour})
	a.HandleFunc("GET /", func(http.ResponseWriter, *http.Request) {})
	start(t, a)
	registered(t, a)
	hurry, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- a.Stop(hurry) }()
	<-a.Draining()

	if got := get(t, a.URL()+"/"); got.status != 200 || !got.last {
		t.Errorf("got %+v, want 200 and the connection's end", got)
	}
	if got := get(t, a.URL()+"/health/ready"); got.status != 503 || decodeHealth(t, got).Output != "draining" {
		t.Errorf("ready is %+v", got)
	}
	if got := get(t, a.URL()+"/health/live"); got.status != 200 {
		t.Errorf("live is %+v", got)
	}
	until(t, table, "identity", "draining", func(s *registry.Service) bool {
		return s.Len() == 1 && s.Instances()[0].Status == registry.Draining
	})
	cancel() // cuts the hour short
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Errorf("the second stop says %v", err)
	}
}

func TestShutdownWaitsForRequestsInFlight(t *testing.T) {
	a := newRealm(t).app(t, "identity", Options{})
	entered := make(chan struct{})
	a.HandleFunc("POST /slow", func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-a.Draining()
		_, _ = io.Copy(w, r.Body)
	})
	start(t, a)
	answered := make(chan string, 1)
	go func() {
		resp, err := http.DefaultClient.Post(a.URL()+"/slow", "text/plain", strings.NewReader("kept"))
		if err != nil {
			answered <- err.Error()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answered <- string(body)
	}()
	<-entered
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if got := <-answered; got != "kept" {
		t.Errorf("the request in flight got %q", got)
	}
}

// Callers open connections that they never use; net/http's Shutdown would wait
// five seconds for them.
func TestShutdownDoesNotWaitForUnusedConnections(t *testing.T) {
	a := newRealm(t).app(t, "identity", Options{DrainDelay: 2 * unusedFor})
	start(t, a)
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	get(t, a.URL()+"/health/live") // accepted after the other one
	began := time.Now()
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("stopping took %s", took)
	}
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	realm := newRealm(t)
	a := newApp("identity", Options{DrainDelay: -1, ShutdownTimeout: time.Millisecond}, environment{
		getenv: func(string) string { return "" }, hostname: os.Hostname, stderr: t.Output(), open: realm.open,
	})
	entered := make(chan struct{})
	a.HandleFunc("GET /forever", func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	start(t, a)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := http.DefaultClient.Get(a.URL() + "/forever"); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-entered
	if err := a.Stop(t.Context()); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "requests were cut") {
		t.Errorf("got %v", err)
	}
	<-done
}

func TestSignals(t *testing.T) {
	realm := newRealm(t)
	a := realm.app(t, "identity", Options{DrainDelay: time.Hour})
	signals := make(chan os.Signal, 2)
	ended := make(chan error, 1)
	go func() { ended <- a.run(t.Context(), signals) }()
	signals <- syscall.SIGTERM
	<-a.Draining()
	signals <- syscall.SIGTERM // cuts the hour short
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	realm := newRealm(t)
	a := realm.app(t, "identity", Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	until(t, realm.follow(t), "identity", "registered", func(s *registry.Service) bool { return s.Len() == 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestStartErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		name    string
		service string
		options Options
		vars    map[string]string
		want    string
	}{
		{"a taken port", "identity", Options{Addr: taken.Addr().String()}, nil, "addr: listen tcp " + taken.Addr().String()},
		{"a bad service", "Identity.1", Options{}, nil, "service: must be a DNS label"},
		{"a bad instance", "identity", Options{Instance: "a.b"}, nil, "instance: must be a DNS label"},
		{"a bad realm", "identity", Options{Realm: "A"}, nil, "realm: must be a DNS label"},
		{"a bad weight", "identity", Options{Weight: 5000}, nil, "weight: must be between 1 and 1000"},
		{"a bad advertised host", "identity", Options{Advertise: "169.254.169.254"}, nil, "host: must be an address that a service can listen on"},
		{"a bad variable", "identity", Options{}, map[string]string{"FAIRLEAD_LOG_LEVEL": "loud"}, "FAIRLEAD_LOG_LEVEL: must be debug, info, warn or error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			realm := newRealm(t)
			a := realm.app(t, tt.service, tt.options)
			if tt.vars != nil {
				a.given.logLevel, realm.vars = "", tt.vars
			}
			err := a.Start(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, tt.want)
			}
		})
	}
}

func TestStartsOnce(t *testing.T) {
	a := newRealm(t).app(t, "identity", Options{})
	if err := a.Stop(t.Context()); err != nil {
		t.Errorf("stopping before the start says %v", err)
	}
	start(t, a)
	if err := a.Start(t.Context()); !errors.Is(err, ErrStarted) {
		t.Errorf("got %v", err)
	}
}

func TestRunArgs(t *testing.T) {
	tests := []struct {
		args   []string
		want   string
		prints string
	}{
		{[]string{"now"}, `identity: unexpected argument "now"`, ""},
		{[]string{"-weight=x"}, `identity: invalid value "x" for flag -weight: must be a whole number from 1 to 1000, got "x"`, ""},
		{[]string{"-nonsense"}, `identity: flag provided but not defined: -nonsense`, ""},
		{[]string{"-h"}, `identity: flag: help requested`, "(FAIRLEAD_ZONE)"},
	}
	for _, tt := range tests {
		a := newRealm(t).app(t, "identity", Options{})
		var printed bytes.Buffer
		a.env.stdout = &printed
		err := a.RunArgs(t.Context(), tt.args)
		if !errors.As(err, new(*usageError)) || err.Error() != tt.want {
			t.Errorf("%v gives %v, want %s", tt.args, err, tt.want)
		}
		if !strings.Contains(printed.String(), tt.prints) || tt.prints == "" && printed.Len() > 0 {
			t.Errorf("%v prints %q", tt.args, printed.String())
		}
	}
}

// Two services of one process share nothing, and one calls the other by name.
func TestClientCallsAnotherService(t *testing.T) {
	realm := newRealm(t)
	identity := realm.app(t, "identity", Options{})
	var traceparent atomic.Value
	identity.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		traceparent.Store(r.Header.Get("Traceparent"))
		_, _ = io.WriteString(w, "user "+r.PathValue("id"))
	})
	gateway := realm.app(t, "gateway", Options{})
	client := gateway.Client() // before the start
	gateway.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, "service://identity"+r.URL.Path, bytes.NewReader(nil))
		got, err := send(client.HTTPClient(), req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, got.body)
	})
	start(t, identity)
	start(t, gateway)
	registered(t, identity)
	got := get(t, gateway.URL()+"/users/9", "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if got.body != "user 9" {
		t.Errorf("got %+v", got)
	}
	if seen, _ := traceparent.Load().(string); !strings.Contains(seen, "4bf92f3577b34da6a3ce929d0e0e4736") || strings.Contains(seen, "00f067aa0ba902b7") {
		t.Errorf("identity saw the trace %q", seen)
	}
	client.CloseIdleConnections()
}
