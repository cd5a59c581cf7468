package acceptance

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestBothPlanesMeasureByTheSameNames: what callers got of a service, and what
// was asked of each instance.
func TestBothPlanesMeasureByTheSameNames(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	for name, p := range planes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := p.supervise(r, t)
			for range 5 {
				expect(t, 200, "-H", byHeader, s.url+"/users/1")
			}
			const status = `http_response_status_code="2(xx|00)"`
			within(t, patience, "all are counted", func() bool {
				text := expect(t, 200, s.url+"/metrics")
				served := counted(t, text, "http_server_request_duration_seconds_count", `fairlead_service="identity"`, `fairlead_realm="local"`, `url_scheme="http"`, status)
				sent := counted(t, text, "http_client_request_duration_seconds_count", `fairlead_instance="identity-1"`, `server_address="identity"`, status)
				return served >= 5 && served == sent && contains(text, `http_client_request_duration_seconds_sum`)
			})
		})
	}
}

// counted adds up the series of a metric that have labels.
func counted(t *testing.T, text, metric string, labels ...string) (sum int) {
	t.Helper()
	for line := range strings.Lines(text) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if !strings.HasPrefix(series, metric+"{") {
			continue
		}
		for _, label := range labels {
			if !regexp.MustCompile(label).MatchString(series) {
				value = "0"
			}
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
