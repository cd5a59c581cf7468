package smartclient

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// An Observation is one attempt, as an [Observer] hears of it.
type Observation struct {
	Realm, Service string
	// Instance and Addr ("host:port") tell where the attempt went, Attempt its
	// number within its request, from 1.
	Instance, Addr string
	Attempt        int
	// Method, URL and Request are what was asked, with the headers that went
	// out. A password in the URL is masked.
	Method, URL string
	Request     http.Header
	// Began is when the attempt did, Took how long its headers were waited for.
	Began time.Time
	Took  time.Duration
	// Status and Response are of the answer; without one Err is set.
	Status   int
	Response http.Header
	Err      error
}

// defaultRoom is how many observations wait at most: a burst of a second, and
// a megabyte or so of headers.
const defaultRoom = 1024

// masked are the headers whose values are secrets. Observers are for looking at
// traffic, and what they write down must not let anybody in.
var masked = []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}

const mask = "masked"

// An Observer hears of every attempt of the clients that have it in their
// Options, without slowing them: what finds no room is dropped and counted. It
// may serve several clients.
//
//	observer := smartclient.NewObserver(record, 0)
//	defer observer.Close(ctx)
//	client := smartclient.New(smartclient.Options{Observer: observer})
type Observer struct {
	hear    func(Observation)
	queue   chan Observation
	dropped atomic.Int64

	closing sync.Once
	stop    chan struct{}
	stopped chan struct{}
}

// NewObserver starts an observer that calls hear for each observation, one at a
// time. room is how many may wait meanwhile; 0 means 1,024.
func NewObserver(hear func(Observation), room int) *Observer {
	if room <= 0 {
		room = defaultRoom
	}
	o := &Observer{hear: hear, queue: make(chan Observation, room), stop: make(chan struct{}), stopped: make(chan struct{})}
	go o.run()
	return o
}

func (o *Observer) run() {
	defer close(o.stopped)
	for {
		select {
		case one := <-o.queue:
			o.hear(one)
		case <-o.stop:
			o.drain()
			return
		}
	}
}

func (o *Observer) drain() {
	for {
		select {
		case one := <-o.queue:
			o.hear(one)
		default:
			return
		}
	}
}

// Dropped tells how many observations found no room.
func (o *Observer) Dropped() int64 { return o.dropped.Load() }

// Close ends the observer once it has heard what was waiting, or when ctx
// ends, with its error. It may be called more than once. Clients go on
// unobserved.
func (o *Observer) Close(ctx context.Context) error {
	o.closing.Do(func() { close(o.stop) })
	select {
	case <-o.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close observer: %w", ctx.Err())
	}
}

// offer takes an observation, made only if there is room for it, and tells
// whether there was.
func (o *Observer) offer(make func() Observation) bool {
	if len(o.queue) < cap(o.queue) {
		select {
		case <-o.stop:
			return true // nobody wants it any more
		case o.queue <- make():
			return true
		default:
		}
	}
	o.dropped.Add(1)
	return false
}

// observe offers the attempt to the observer, if there is one.
func (a *attempt) observe(out *http.Request, resp *http.Response, err error) {
	t := a.call.t
	if t.options.Observer == nil {
		return
	}
	took := t.now() - a.began
	if !t.options.Observer.offer(func() Observation { return a.observation(out, resp, err, took) }) {
		t.telemetry.count(a.ctx, a.call.service, 1, unobserved)
	}
}

func (a *attempt) observation(out *http.Request, resp *http.Response, err error, took time.Duration) Observation {
	c := a.call
	one := Observation{
		Realm: c.t.options.Realm, Service: c.service, Instance: a.at.instance.ID, Addr: a.at.addr, Attempt: a.number,
		Method: methodOf(c.req), URL: c.req.URL.Redacted(), Request: maskedCopy(out.Header),
		Began: c.t.epoch.Add(a.began), Took: took, Err: err,
	}
	if resp != nil && err == nil {
		one.Status, one.Response = resp.StatusCode, maskedCopy(resp.Header)
	}
	return one
}

// maskedCopy copies headers, for they go on to change, without the secrets.
func maskedCopy(h http.Header) http.Header {
	copied := h.Clone()
	for _, name := range masked {
		if values := copied[name]; len(values) > 0 {
			copied[name] = []string{mask}
		}
	}
	return copied
}

func methodOf(req *http.Request) string {
	if req.Method == "" {
		return http.MethodGet
	}
	return req.Method
}
