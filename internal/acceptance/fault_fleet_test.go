package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/connect"
	"fairlead.dev/internal/history"
	"fairlead.dev/registry"
)

const (
	// healedWithin is how soon after a fault every table equals the truth.
	healedWithin = 10 * time.Second
	// tablesOfAFleet listen on connections of their own.
	tablesOfAFleet = 20
)

// A fleet is what faults happen to: services in processes of their own, tables
// that must never lose a living one, and clients whose every call is on
// record.
type fleet struct {
	url   string // of the bus, for programs
	host  string // where this process is reached
	truth *truth
	// instanceLogin and operatorLogin are files of credentials, where they
	// are needed.
	instanceLogin, operatorLogin string
	living                       []string // ids of identity
	tables                       []*watched
	work                         *workload
	also                         []*connect.Session // tables that came later
}

// newFleet starts one around a control plane that serves already.
func newFleet(t *testing.T, url string, truth *truth, living ...string) *fleet {
	t.Helper()
	f := &fleet{url: url, host: "127.0.0.1", truth: truth, living: living}
	f.begin(t)
	return f
}

func (f *fleet) begin(t *testing.T) {
	t.Helper()
	for range tablesOfAFleet {
		f.tables = append(f.tables, watch(t, f.open(t), f.living))
	}
	f.settles(t)
	f.work = startWorkload(t, f)
}

// fleetOf starts one around a single `fairlead up`.
func fleetOf(t *testing.T, r *realm) *fleet {
	t.Helper()
	living := []string{"identity-1", "identity-2", "identity-3"}
	for _, id := range living {
		r.startIdentity(t, id)
	}
	return newFleet(t, r.NATS, newTruth(t, r.tool(t)), living...)
}

// open opens a table in the test's own process.
func (f *fleet) open(t *testing.T) *connect.Session {
	t.Helper()
	return f.session(t, f.operatorLogin, true)
}

// settles waits until every table equals the truth and nobody living is
// missing from either.
func (f *fleet) settles(t *testing.T) {
	t.Helper()
	var why error
	took := soon(t, healedWithin, "every table equals the truth", func() error { why = f.differs(t.Context()); return why })
	t.Logf("every table equalled the truth after %s", took.Round(time.Millisecond))
}

// differs names the first difference.
func (f *fleet) differs(ctx context.Context) error {
	want, err := f.truth.routes(ctx)
	if err != nil {
		return err
	}
	for _, id := range f.living {
		if _, listed := want["identity/"+id]; !listed {
			return fmt.Errorf("%s lives and is not registered", id)
		}
	}
	for i, session := range f.sessions() {
		table, _ := session.Table().Table()
		if err := same(table, want); err != nil {
			return fmt.Errorf("table %d (%s, %s): %w", i, table.Source, table.Revision, err)
		}
	}
	return nil
}

func (f *fleet) sessions() []*connect.Session {
	all := slices.Clone(f.also)
	for _, w := range f.tables {
		all = append(all, w.session)
	}
	return all
}

// lists tells whether any table has an instance of identity.
func (f *fleet) lists(id string) bool {
	return slices.ContainsFunc(f.sessions(), func(s *connect.Session) bool { return !isGone(held(s, "identity", id)) })
}

// allList tells whether every table has it.
func (f *fleet) allList(id string) bool {
	return !slices.ContainsFunc(f.sessions(), func(s *connect.Session) bool { return isGone(held(s, "identity", id)) })
}

// endures ends the work and checks that nothing it was told is lost, that no
// table went back, and that none ever missed a living instance.
func (f *fleet) endures(t *testing.T) {
	t.Helper()
	f.work.stop()
	f.settles(t)
	f.work.readAll(t)
	for _, w := range f.tables {
		w.stop()
		for _, problem := range append(w.back, w.missing...) {
			t.Error(problem)
		}
	}
	h := &f.work.history
	t.Logf("%d calls were done, %d refused, %d had no answer", h.Count(history.Done), h.Count(history.Refused), h.Count(history.Unknown))
	if h.Count(history.Done) < 40 || h.Count(history.Refused) == 0 {
		t.Error("too few calls to tell")
	}
	if err := h.Check(time.Minute); err != nil {
		t.Error(err)
	}
}

// soon is within for a condition that can say what is missing.
func soon(t *testing.T, limit time.Duration, what string, try func() error) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			t.Fatalf("not within %s: %s: %v", limit, what, err)
		}
		<-tick.C
	}
}

// A route is what the truth and a table have to agree on.
type route struct {
	endpoint string
	enabled  bool
	// rubbish is what nobody can read: tables keep the last good value.
	rubbish bool
}

// A truth reads the registry's bucket, past Atlas.
type truth struct{ conn *nats.Conn }

func newTruth(t *testing.T, conn *nats.Conn) *truth {
	t.Helper()
	return &truth{conn}
}

// stored is what the bucket holds of a registration.
type stored struct {
	registry.Registration
	Atlas struct {
		Incarnation string `json:"incarnation"`
	} `json:"atlas"`
}

// routes reads all of the realm.
func (o *truth) routes(ctx context.Context) (map[string]route, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	js, err := jetstream.New(o.conn)
	if err != nil {
		return nil, err
	}
	kv, err := js.KeyValue(ctx, "atlas")
	if err != nil {
		return nil, err
	}
	watcher, err := kv.Watch(ctx, "hosts.local.>", jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = watcher.Stop() }()
	values := map[string]string{}
	for {
		select {
		case entry := <-watcher.Updates():
			if entry == nil {
				return meaning(values)
			}
			values[strings.TrimPrefix(entry.Key(), "hosts.local.")] = string(entry.Value())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func meaning(values map[string]string) (map[string]route, error) {
	all := map[string]route{}
	for key, value := range values {
		parts := strings.Split(key, ".")
		if len(parts) != 2 {
			continue
		}
		all[parts[0]+"/"+parts[1]] = routeOf(value, values[key+".enabled"])
	}
	return all, nil
}

func routeOf(registration, flag string) route {
	var s stored
	if json.Unmarshal([]byte(registration), &s) != nil || s.Registration.WithDefaults().Validate() != nil {
		return route{rubbish: true}
	}
	switch enabled := strings.Contains(flag, `"enabled":true`) || flag == "true" || flag == ""; {
	case !enabled && flag != "false" && !strings.Contains(flag, `"enabled":false`):
		return route{rubbish: true}
	default:
		return route{endpoint: s.Registration.WithDefaults().Endpoint(), enabled: enabled}
	}
}

// last reads a key's last value from the stream's leader; empty means none.
// The client library would ask any replica, which may be behind.
func (o *truth) last(key string) (string, error) {
	ask, _ := json.Marshal(map[string]string{"last_by_subj": "$KV.atlas." + key})
	msg, err := o.conn.Request("$JS.API.STREAM.MSG.GET.KV_atlas", ask, 2*time.Second)
	if err != nil {
		return "", err
	}
	var reply struct {
		Message struct {
			Data    []byte `json:"data"`
			Headers []byte `json:"hdrs"`
		} `json:"message"`
		Error *struct {
			Code        int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(msg.Data, &reply); err != nil {
		return "", err
	}
	switch {
	case reply.Error != nil && reply.Error.Code == int(jetstream.JSErrCodeMessageNotFound):
		return "", nil
	case reply.Error != nil:
		return "", errors.New(reply.Error.Description)
	case strings.Contains(string(reply.Message.Headers), "KV-Operation"):
		return "", nil
	}
	return string(reply.Message.Data), nil
}

// same compares a table with the truth.
func same(table *registry.Table, want map[string]route) error {
	if table.Len() != len(want) {
		return fmt.Errorf("has %d instances of %d", table.Len(), len(want))
	}
	for s := range table.Services() {
		for _, in := range s.Instances() {
			name := s.Name + "/" + in.ID
			got := route{endpoint: in.Scheme + "://" + in.Addr(), enabled: in.Enabled}
			if expected, listed := want[name]; !listed || !expected.rubbish && got != expected {
				return fmt.Errorf("%s is %v, should be %v", name, got, want[name])
			}
		}
	}
	return nil
}

// A watched table notes when it goes back, or loses an instance that lives.
type watched struct {
	session *connect.Session
	stop    func()
	// Read these after stop.
	back, missing []string
}

func watch(t *testing.T, session *connect.Session, living []string) *watched {
	t.Helper()
	w := &watched{session: session}
	var done sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = func() { cancel(); done.Wait() }
	t.Cleanup(w.stop)
	done.Go(func() { w.run(ctx, living) })
	return w
}

func (w *watched) run(ctx context.Context, living []string) {
	var line history.Line
	complete := false
	for {
		table, changed := w.session.Table().Table()
		if err := line.Add(table.Revision); err != nil {
			w.back = append(w.back, err.Error())
		}
		missing := lacks(table, living)
		if complete && missing != "" {
			w.missing = append(w.missing, fmt.Sprintf("%s lives and was removed from a table at %s", missing, table.Revision))
			complete = false
		}
		complete = complete || missing == ""
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// lacks returns the first living instance that a table does not list, empty if
// it lists all.
func lacks(table *registry.Table, living []string) string {
	for _, id := range living {
		if _, listed := table.Service("identity").Instance(id); !listed {
			return id
		}
	}
	return ""
}
