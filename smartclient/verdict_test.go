package smartclient

import (
	"net/http"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	const none = -time.Second
	unsent := outcome{after: none}
	sent := outcome{after: none, sent: true}
	answered := func(status int, after time.Duration) outcome {
		return outcome{status: status, after: after, sent: true}
	}
	for name, tc := range map[string]struct {
		mode   RetryMode
		traits trait
		o      outcome
		want   verdict
	}{
		"unsent, any method":              {RetryIdempotent, 0, unsent, again},
		"unsent, by a proxy":              {RetryUnsent, 0, unsent, again},
		"unsent repetition":               {RetryIdempotent, repetition, unsent, again},
		"unsent, but final":               {RetryIdempotent, idempotent, outcome{after: none, final: true}, stop},
		"sent, not idempotent":            {RetryIdempotent, 0, sent, stop},
		"sent, idempotent":                {RetryIdempotent, idempotent, sent, another},
		"sent, idempotent, stale":         {RetryIdempotent, idempotent, outcome{after: none, sent: true, stale: true}, again},
		"sent, not idempotent, stale":     {RetryIdempotent, 0, outcome{after: none, sent: true, stale: true}, stop},
		"sent, idempotent repetition":     {RetryIdempotent, idempotent | repetition, sent, stop},
		"sent, cancelled":                 {RetryIdempotent, idempotent, outcome{after: none, sent: true, final: true}, stop},
		"sent, idempotent, by a proxy":    {RetryUnsent, idempotent, sent, stop},
		"sent, plain, by a proxy":         {RetryUnsent, idempotent | plain, sent, another},
		"503, plain, by a proxy":          {RetryUnsent, idempotent | plain, answered(503, 0), stop},
		"503, not idempotent":             {RetryIdempotent, 0, answered(503, none), stop},
		"503, idempotent":                 {RetryIdempotent, idempotent, answered(503, none), another},
		"503 with a time":                 {RetryIdempotent, idempotent, answered(503, 0), again},
		"502":                             {RetryIdempotent, idempotent, answered(502, none), another},
		"504":                             {RetryIdempotent, idempotent, answered(504, none), another},
		"500":                             {RetryIdempotent, idempotent, answered(500, none), stop},
		"429":                             {RetryIdempotent, idempotent, answered(429, none), stop},
		"429 with a time":                 {RetryIdempotent, idempotent, answered(429, 0), again},
		"429 with a time, not idempotent": {RetryIdempotent, 0, answered(429, 0), stop},
		"404":                             {RetryIdempotent, idempotent, answered(404, none), stop},
		"200":                             {RetryIdempotent, idempotent, answered(200, none), stop},
	} {
		t.Run(name, func(t *testing.T) {
			if got := judge(tc.mode, tc.traits, tc.o); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestUnwell(t *testing.T) {
	for o, want := range map[outcome]bool{
		{}: true, {sent: true}: true, {final: true}: false,
		{status: 200}: false, {status: 404}: false, {status: 429}: false, {status: 500}: false,
		{status: 502}: true, {status: 503}: true, {status: 504}: true,
	} {
		if got := unwell(o); got != want {
			t.Errorf("%+v: got %v", o, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0": 0, "120": 2 * time.Minute, now.Add(time.Minute).Format(http.TimeFormat): time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
		"": -1, "-1": -1, "1.5": -1, "soon": -1, "99999999999999999999": -1,
	} {
		if got := retryAfter(503, http.Header{"Retry-After": {text}}, func() time.Time { return now }); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	if got := retryAfter(301, http.Header{"Retry-After": {"1"}}, time.Now); got >= 0 {
		t.Errorf("of a redirect: got %v", got)
	}
}

func TestPauseBound(t *testing.T) {
	want := []time.Duration{25, 50, 100, 200, 400, 800, 1000, 1000}
	for i, w := range want {
		if got := pauseBound(i + 1); got != w*time.Millisecond {
			t.Errorf("retry %d: got %v", i+1, got)
		}
	}
	for range 100 {
		if p := pause(1, time.Second); p < time.Second || p > time.Second+firstPause {
			t.Fatalf("pause %v", p)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Fri, 02 Jan 2026 03:04:05 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		if got := retryAfter(503, http.Header{"Retry-After": {text}}, time.Now); got < -1 {
			t.Errorf("%q: got %v", text, got)
		}
	})
}

func FuzzAttemptNumber(f *testing.F) {
	f.Add("2")
	f.Fuzz(func(t *testing.T, text string) {
		if got := attemptNumber(attemptOf(http.Header{HeaderAttempt: {text}}), 2); got < 2 || got > 1<<17 {
			t.Errorf("%q: got %d", text, got)
		}
	})
}

func FuzzServiceOf(f *testing.F) {
	for _, raw := range []string{"service://identity/users/1?x=1", "service:///x", "service:identity", "service://a:b@identity"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		req, err := http.NewRequest("GET", raw, nil)
		if err != nil || req.URL.Scheme != scheme {
			return
		}
		name, err := serviceOf(req.URL)
		if err == nil && (name == "" || name != req.URL.Host) {
			t.Errorf("%q names %q", raw, name)
		}
	})
}

func FuzzLogicalLocation(f *testing.F) {
	f.Add("http://identity/x")
	f.Add("HTTPS://Identity?x")
	f.Add("http://identity.example.com/")
	f.Fuzz(func(t *testing.T, location string) {
		at, ok := logicalLocation(location, "identity")
		if ok && len(at) < len("service://identity") {
			t.Errorf("%q became %q", location, at)
		}
	})
}

func TestLogicalLocation(t *testing.T) {
	for location, want := range map[string]string{
		"http://identity/x?y#z":       "service://identity/x?y#z",
		"HTTPS://IDENTITY":            "service://identity",
		"http://identity?x":           "service://identity?x",
		"http://identity.example.com": "",
		"http://identity:80/":         "service://identity/",
		"http://identity:8080/":       "",
		"http://identity:443/":        "",
		"https://identity:443/x":      "service://identity/x",
		"http://identity@evil.com/":   "",
		"/x":                          "",
		"":                            "",
	} {
		if got, _ := logicalLocation(location, "identity"); got != want && (want != "" || got != "") {
			t.Errorf("%q: got %q, want %q", location, got, want)
		}
	}
}
