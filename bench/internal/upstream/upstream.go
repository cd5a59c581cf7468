// Package upstream is the service that clients are measured against: a process
// with one or more instances, whose answers can be made slow or failures while
// it runs, and which counts what it sees.
//
//	p, err := upstream.Start(self, dir, 3)
//	defer p.Kill()
//	err = p.Behave(0, upstream.Behaviour{Status: 503})
package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"fairlead.dev/bench/internal/process"
)

// A Behaviour is how an instance answers. The zero value is 200 at once.
type Behaviour struct {
	Status int           `json:"status"`
	Delay  time.Duration `json:"delay"`
}

const (
	behavePath = "/-/behave"
	countPath  = "/-/count"
)

// Serve is the process: it tells the addresses of n instances on its first
// line, and serves until its input ends.
func Serve(n int, in io.Reader, out io.Writer) error {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addrs = append(addrs, l.Addr().String())
		go func() { _ = (&http.Server{Handler: newInstance(), ReadHeaderTimeout: time.Minute}).Serve(l) }()
	}
	if err := json.NewEncoder(out).Encode(addrs); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in)
	return err
}

// An instance answers every path, but those under /-/, alike.
type instance struct {
	now  atomic.Pointer[Behaviour]
	seen atomic.Int64
}

func newInstance() http.Handler {
	i := &instance{}
	i.now.Store(&Behaviour{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+behavePath, i.behave)
	mux.HandleFunc("GET "+countPath, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, i.seen.Load()) })
	mux.HandleFunc("/", i.answer)
	return mux
}

func (i *instance) behave(w http.ResponseWriter, r *http.Request) {
	var b Behaviour
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.now.Store(&b)
}

// body is what most answers of services are: short JSON.
var body = []byte(`{"id":1,"name":"anna","email":"anna@example.com","roles":["reader"]}`)

func (i *instance) answer(w http.ResponseWriter, r *http.Request) {
	i.seen.Add(1)
	_, _ = io.Copy(io.Discard, r.Body)
	b := i.now.Load()
	if b.Delay > 0 {
		time.Sleep(b.Delay)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if b.Status != 0 {
		w.WriteHeader(b.Status)
	}
	_, _ = w.Write(body)
}

// A Process is an upstream process.
type Process struct {
	*process.Child
	// Addrs are those of its instances, "host:port".
	Addrs []string
}

// Start starts a process with n instances and waits until they listen. self is
// a program that calls [Serve] when its argument is "upstream".
func Start(self, dir string, n int) (*Process, error) {
	child, err := process.Start(process.Spec{
		Path: self, Args: []string{"upstream", strconv.Itoa(n)}, Log: filepath.Join(dir, "upstream.log"), Talks: true,
	})
	if err != nil {
		return nil, err
	}
	p := &Process{Child: child}
	if err := json.NewDecoder(child).Decode(&p.Addrs); err != nil {
		child.Kill()
		return nil, fmt.Errorf("upstream: addresses: %w", err)
	}
	return p, nil
}

// Behave changes how one instance answers.
func (p *Process) Behave(ctx context.Context, instance int, b Behaviour) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	_, err = p.ask(ctx, http.MethodPost, instance, behavePath, text)
	return err
}

// BehaveAll changes how all instances answer.
func (p *Process) BehaveAll(ctx context.Context, b Behaviour) error {
	for i := range p.Addrs {
		if err := p.Behave(ctx, i, b); err != nil {
			return err
		}
	}
	return nil
}

// Seen sums up the requests that the instances saw.
func (p *Process) Seen(ctx context.Context) (int, error) {
	total := 0
	for i := range p.Addrs {
		text, err := p.ask(ctx, http.MethodGet, i, countPath, nil)
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(string(text))
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}
