package smartclient_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"fairlead.dev/smartclient"
)

// A stranger's answer must not choose among the services that only callers in
// the realm can reach.
func TestAStrangerCannotRedirectToAService(t *testing.T) {
	within, seen := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/to" {
			http.Redirect(w, r, "service://identity/end", http.StatusTemporaryRedirect)
			return
		}
		_, _ = io.WriteString(w, "inside")
	})
	stranger, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "service://identity/secret", http.StatusTemporaryRedirect)
	})
	c := newClient(t, options(newRealm(at("a", within))))
	for _, method := range []string{"GET", "POST"} {
		resp, err := c.Do(newRequest(t, method, stranger, "x"))
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, smartclient.ErrForeignRedirect) || seen.Load() != 0 {
			t.Errorf("%s: got %v after %d requests within", method, err, seen.Load())
		}
	}
	resp, err := c.Do(newRequest(t, "GET", "service://identity/to", ""))
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got != "inside" {
		t.Errorf("from service to service: got %q", got)
	}
}
