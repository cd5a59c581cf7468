package smartclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"fairlead.dev/registry"
)

// EnvSidecar names the environment variable that sends requests to a sidecar
// instead of to instances: its URL, as in http://127.0.0.1:4000.
const EnvSidecar = "FAIRLEAD_SIDECAR"

const (
	// serviceHeader tells a sidecar which service is meant.
	serviceHeader = "Fairlead-Service"
	// errorHeader is on those answers of a sidecar that are no service's.
	errorHeader = "Fairlead-Error"
)

// A sidecar resolves every service to the one place that knows where its
// instances are.
type sidecar struct {
	at    registry.Instance
	err   error // what is wrong with the URL
	known lookup[string, *registry.Service]
}

func newSidecar(raw string) *sidecar {
	at, err := sidecarAt(raw)
	return &sidecar{at: at, err: err}
}

func sidecarAt(raw string) (registry.Instance, error) {
	text := raw
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return registry.Instance{}, fmt.Errorf("sidecar (Options.Sidecar or %s): must be a URL such as http://127.0.0.1:4000, got %q", EnvSidecar, raw)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if u.Port() == "" {
		port, err = map[string]uint64{"http": 80, "https": 443}[u.Scheme], nil
	}
	if err != nil {
		return registry.Instance{}, fmt.Errorf("sidecar (Options.Sidecar or %s): port: must be between 1 and 65535, got %q", EnvSidecar, u.Port())
	}
	return registry.Instance{
		ID: "sidecar", Incarnation: "sidecar", Scheme: u.Scheme, Host: u.Hostname(), Port: int(port),
		Weight: 100, Status: registry.Passing, Enabled: true,
	}, nil
}

// Resolve implements [registry.Resolver].
func (s *sidecar) Resolve(_ context.Context, service string) (*registry.Service, error) {
	if s.err != nil {
		return nil, s.err
	}
	if known, ok := s.known.get(service); ok {
		return known, nil
	}
	return s.known.add(service, func() *registry.Service {
		at := s.at
		at.Service = service
		return registry.NewTable("", "sidecar").WithService(service, 1, []registry.Instance{at}).Service(service)
	}), nil
}

// A SidecarError is a sidecar's own word on a request: no answer of the
// service, and none that makes sense to repeat, for the sidecar has done so.
// For what the registry says errors.Is finds the same errors as without a
// sidecar.
type SidecarError struct {
	// Code is the sidecar's: no-such-service, none-enabled, unreachable, and so
	// on.
	Code   string
	Detail string
	// Processed tells whether an instance may have processed the request.
	Processed bool
}

// sidecarSays begins the text of every SidecarError.
const sidecarSays = "sidecar: "

// Error returns one line.
func (e *SidecarError) Error() string {
	if e.Detail == "" {
		return sidecarSays + e.Code
	}
	return sidecarSays + e.Code + ": " + oneLine(e.Detail)
}

// Unwrap yields the registry's error that the code stands for.
func (e *SidecarError) Unwrap() error {
	switch e.Code {
	case "no-such-service":
		return registry.ErrNoSuchService
	case "none-enabled":
		return registry.ErrNoneEnabled
	case "registry-never-seen":
		return registry.ErrNeverSeen
	case "route-refused":
		return ErrRouteRefused
	case "no-such-instance":
		return ErrNoSuchInstance
	}
	return nil
}

// Timeout tells whether the service did not answer the sidecar in time.
func (e *SidecarError) Timeout() bool { return e.Code == "timeout" }

// sidecarError reads an answer that is the sidecar's own, nil if it is a
// service's.
func sidecarError(resp *http.Response) error {
	code := resp.Header.Get(errorHeader)
	if code == "" {
		return nil
	}
	p := ReadProblem(resp)
	var processed string
	_ = json.Unmarshal(p.Extensions["processed"], &processed) // what it does not say is doubtful
	return &SidecarError{Code: code, Detail: p.Detail, Processed: processed != "no"}
}
