package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"fairlead.dev/bench/internal/command"
	"fairlead.dev/bench/internal/proxies"
	"fairlead.dev/registry"
	"fairlead.dev/sidecar"
	"fairlead.dev/sidecar/builtin"
	"fairlead.dev/sidecar/haproxy"
)

// A planeJob says what the process of a plane does.
type planeJob struct {
	Kind     string
	Dir      string
	Port     int
	Backends []int
}

// told is what it says at its end.
type told struct {
	Milliseconds []float64 // of each change, until it was applied
	Reloads      int
}

const (
	changeEvery     = time.Second / 20
	changeInstances = 20
)

// changePlane runs a sidecar whose table changes all the time, until standard
// input ends.
func changePlane(ctx context.Context, args []string, out io.Writer) error {
	var job planeJob
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &job) != nil {
		return fmt.Errorf("%w: expected a job", command.ErrUsage)
	}
	plane, reloads, err := job.open()
	if err != nil {
		return err
	}
	source := newSource(proxies.Table(proxies.Place{Backends: job.Backends}, 10, changeInstances))
	timed := &timedPlane{DataPlane: plane, source: source}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- sidecar.New(timed, source, sidecar.Options{}).Run(ctx) }()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	source.change(ctx)
	t := told{Milliseconds: timed.all(), Reloads: reloads()}
	return errors.Join(<-ended, json.NewEncoder(out).Encode(t))
}

func (j planeJob) open() (sidecar.DataPlane, func() int, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(j.Port))
	if j.Kind == "haproxy" {
		aside, err := builtin.New(builtin.Options{Realm: "local"})
		if err != nil {
			return nil, nil, err
		}
		p, err := haproxy.New(haproxy.Options{Realm: "local", Addr: addr, Data: filepath.Join(j.Dir, "data"), Aside: aside})
		if err != nil {
			return nil, nil, err
		}
		return p, func() int { return p.Status().Reloads }, nil
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	p, err := builtin.New(builtin.Options{Realm: "local", Listener: listener})
	return p, func() int { return 0 }, err
}

// A source is a registry.Watcher whose table changes.
type source struct {
	mu    sync.Mutex
	table *registry.Table
	newer chan struct{}
	at    time.Time
}

func newSource(t *registry.Table) *source { return &source{table: t, newer: make(chan struct{})} }

// Table implements [registry.Watcher].
func (s *source) Table() (*registry.Table, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table, s.newer
}

func (s *source) set(t *registry.Table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table, s.at = t, time.Now()
	close(s.newer)
	s.newer = make(chan struct{})
}

// since tells how long ago a table was set; those from before do not count.
func (s *source) since(t *registry.Table) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.at), t == s.table && !s.at.IsZero()
}

// change disables one instance after the other, and enables the one before.
func (s *source) change(ctx context.Context) {
	tick := time.NewTicker(changeEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		table, _ := s.Table()
		sequence := table.Revision.Sequence + 1
		for at, enabled := range map[int]bool{i: false, i + changeInstances - 1: true} {
			in, _ := table.Service(proxies.Service).Instance(fmt.Sprintf("i%d", at%changeInstances))
			in.Enabled, in.Revision = enabled, sequence
			table = table.WithInstance(in)
		}
		s.set(table.At(registry.Revision{Epoch: table.Revision.Epoch, Sequence: sequence}))
	}
}

// A timedPlane notes how long after a table was there it is applied.
type timedPlane struct {
	sidecar.DataPlane
	source *source

	mu   sync.Mutex
	took []float64
}

func (p *timedPlane) Apply(ctx context.Context, t *registry.Table) error {
	err := p.DataPlane.Apply(ctx, t)
	if took, counts := p.source.since(t); counts && err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.took = append(p.took, float64(took.Microseconds())/1000)
	}
	return err
}

func (p *timedPlane) all() []float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.took
}
