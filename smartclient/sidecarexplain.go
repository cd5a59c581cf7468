package smartclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"fairlead.dev/registry"
)

const (
	// sidecarExplainTimeout is longer than a sidecar waits for the registry.
	sidecarExplainTimeout = 5 * time.Second
	// mostExplanation is some thousands of instances.
	mostExplanation = 16 << 20
	// usualRealm is where programs are that name none.
	usualRealm = "local"
)

// explain asks the sidecar, which alone knows the instances, through base.
func (s *sidecar) explain(ctx context.Context, base http.RoundTripper, realm, service string) (x registry.Explanation, err error) {
	if s.err != nil {
		return x, s.err
	}
	ctx, cancel := context.WithTimeout(ctx, sidecarExplainTimeout)
	defer cancel()
	url := fmt.Sprintf("%s/v1/realms/%s/services/%s/explain", s.origin(), cmp.Or(realm, usualRealm), service)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return x, err
	}
	resp, err := base.RoundTrip(req)
	if err != nil {
		return x, fmt.Errorf("sidecar at %s does not answer: %w", s.origin(), err)
	}
	return explanationOf(resp, s.origin())
}

func (s *sidecar) origin() string { return s.at.Scheme + "://" + s.at.Addr() }

func explanationOf(resp *http.Response, at string) (x registry.Explanation, err error) {
	if err := sidecarError(resp); err != nil {
		return x, err
	}
	if resp.StatusCode != http.StatusOK {
		return x, fmt.Errorf("%s answers %s, as no sidecar would: %s", at, resp.Status, oneLine(ReadProblem(resp).Detail))
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	text, err := readAtMost(resp.Body, mostExplanation)
	if err == nil {
		err = json.Unmarshal(text, &x)
	}
	if err != nil {
		return registry.Explanation{}, fmt.Errorf("%s answers what no sidecar would: %w", at, err)
	}
	return x, nil
}
