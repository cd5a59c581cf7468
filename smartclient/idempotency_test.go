package smartclient_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

// A POST that was sent is repeated only with a key, and only where the service
// declares that keys make that safe.
func TestIdempotencyKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		method, key string
		declared    bool
		give        bool
		proxy       bool
		attempts    int
		told        string // "": none, "?": one of the client's own
	}{
		"no key":                       {"POST", "", true, false, false, 1, ""},
		"a key nobody heeds":           {"POST", "k1", false, false, false, 1, "k1"},
		"a key":                        {"POST", "k1", true, false, false, 2, "k1"},
		"a key with PATCH":             {"PATCH", "k1", true, false, false, 2, "k1"},
		"given":                        {"POST", "", true, true, false, 2, "?"},
		"given, but nobody heeds it":   {"POST", "", false, true, false, 1, ""},
		"given, but the caller's wins": {"POST", "k1", true, true, false, 2, "k1"},
		"a proxy repeats none":         {"POST", "k1", true, true, true, 1, "k1"},
		"GET needs none":               {"GET", "", true, true, false, 2, ""},
		"other methods are other":      {"LOCK", "k1", true, true, false, 1, "k1"},
	} {
		t.Run(name, func(t *testing.T) {
			var keys, bodies []string
			o := options(twoInstances().withPolicy(registry.Policy{IdempotencyKey: tc.declared}))
			o.IdempotencyKeys = tc.give
			if tc.proxy {
				o.Retry = smartclient.RetryUnsent
			}
			o.Base = roundTrip(func(req *http.Request) (*http.Response, error) {
				body, _ := io.ReadAll(req.Body)
				keys, bodies = append(keys, req.Header.Get("Idempotency-Key")), append(bodies, string(body))
				return answer(req, 503, nil), nil
			})
			req := newRequest(t, tc.method, "service://identity/", "")
			req.Body, req.ContentLength = io.NopCloser(strings.NewReader(bodyText)), int64(len(bodyText))
			if tc.key != "" {
				req.Header.Set("Idempotency-Key", tc.key)
			}
			resp, err := smartclient.New(o).Do(req)
			if err != nil || resp.StatusCode != 503 || len(keys) != tc.attempts {
				t.Fatalf("got %v, %v after %d attempts, want %d", resp, err, len(keys), tc.attempts)
			}
			for i, key := range keys {
				own := key != "" && key != tc.key
				if key != keys[0] || bodies[i] != bodyText || (tc.told == "?") != own || !own && key != tc.told {
					t.Errorf("attempt %d had the key %q and the body %q", i+1, key, bodies[i])
				}
			}
			if req.Header.Get("Idempotency-Key") != tc.key {
				t.Error("the caller's header was changed")
			}
		})
	}
}
