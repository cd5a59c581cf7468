package connect

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

// standard is the process's own session, for programs that need no other.
var standard shared

// Default returns the client of the functions of this package. It takes all
// from the environment, and connects with the first request to a service: to
// the sidecar that FAIRLEAD_SIDECAR names, or else to the bus. It is the same
// until [Close].
func Default() *smartclient.Client { return standard.use() }

// Close ends what the functions of this package have opened, as
// [Session.Close] does. A program that ends anyway need not call it.
func Close(ctx context.Context) error { return standard.close(ctx) }

// Do sends a request by the [Default] client; see [http.Client.Do].
func Do(req *http.Request) (*http.Response, error) { return Default().Do(req) }

// Get issues a GET by the [Default] client; see [http.Get].
func Get(url string) (*http.Response, error) { return Default().Get(url) }

// Head issues a HEAD by the [Default] client; see [http.Head].
func Head(url string) (*http.Response, error) { return Default().Head(url) }

// Post issues a POST by the [Default] client; see [http.Post].
func Post(url, contentType string, body io.Reader) (*http.Response, error) {
	return Default().Post(url, contentType, body)
}

// PostForm issues a POST of a form by the [Default] client; see
// [http.PostForm].
func PostForm(url string, data url.Values) (*http.Response, error) {
	return Default().PostForm(url, data)
}

// Put issues a PUT by the [Default] client.
func Put(url, contentType string, body io.Reader) (*http.Response, error) {
	return Default().Put(url, contentType, body)
}

// Delete issues a DELETE by the [Default] client.
func Delete(url string) (*http.Response, error) { return Default().Delete(url) }

// Go sends a request in the background by the [Default] client; see
// [smartclient.Client.Go].
func Go(ctx context.Context, req *http.Request) *smartclient.Future { return Default().Go(ctx, req) }

// A shared session is opened by its first use, and again by the first after it
// was closed.
type shared struct {
	mu      sync.Mutex
	client  *smartclient.Client
	session *Session // nil until a service was called, and with a sidecar
}

func (s *shared) use() *smartclient.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		s.client = smartclient.New(smartclient.Options{Realm: Realm(""), Zone: os.Getenv(EnvZone), Resolver: s.resolver()})
	}
	return s.client
}

// resolver is nil where the client has a sidecar to ask.
func (s *shared) resolver() registry.Resolver {
	if os.Getenv(smartclient.EnvSidecar) != "" {
		return nil
	}
	return s
}

// Resolve implements [registry.Resolver]: the first call connects.
func (s *shared) Resolve(ctx context.Context, service string) (*registry.Service, error) {
	session, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	return session.Table().Resolve(ctx, service)
}

// Table implements [registry.Watcher]; before the first call there is nothing
// to tell.
func (s *shared) Table() (*registry.Table, <-chan struct{}) {
	s.mu.Lock()
	session := s.session
	s.mu.Unlock()
	if session == nil {
		return registry.NewTable(Realm(""), ""), nil
	}
	return session.Table().Table()
}

// open connects, unless that was done. What is wrong with the environment is
// told to every caller, who may have mended it meanwhile.
func (s *shared) open(ctx context.Context) (*Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		session, err := Open(context.WithoutCancel(ctx), Options{})
		if err != nil {
			return nil, err
		}
		s.session = session
	}
	return s.session, nil
}

func (s *shared) close(ctx context.Context) error {
	s.mu.Lock()
	client, session := s.client, s.session
	s.client, s.session = nil, nil
	s.mu.Unlock()
	if client != nil {
		client.CloseIdleConnections()
	}
	if session == nil {
		return nil
	}
	return session.Close(ctx)
}
