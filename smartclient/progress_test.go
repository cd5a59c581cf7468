package smartclient_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"testing"

	"fairlead.dev/smartclient"
)

func TestProgressTellsOfInterimAnswersAndTheInstance(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	client := newClient(t, options(newRealm(at("a", server.URL))))
	var hints []int
	progress := &smartclient.Progress{Interim: func(status int, _ textproto.MIMEHeader) error {
		hints = append(hints, status)
		return nil
	}}
	req, err := http.NewRequestWithContext(smartclient.WithProgress(t.Context(), progress), http.MethodGet, "service://identity/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if progress.Instance != "a" || len(hints) != 1 || hints[0] != http.StatusEarlyHints {
		t.Errorf("instance %q, interim answers %v", progress.Instance, hints)
	}
}
