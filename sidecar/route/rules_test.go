package route

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"fairlead.dev/registry"
)

func to(service string) []registry.Share { return []registry.Share{{Service: service, Weight: 1}} }

func TestMatches(t *testing.T) {
	early := registry.HeaderMatch{Name: "x-cohort", Value: "early"}
	h := http.Header{"X-Cohort": {"late", "early"}, "X-Other": {"early, late"}}
	for _, c := range []struct {
		path string
		rule registry.Rule
		want bool
	}{
		{"/users", registry.Rule{}, true},
		{"*", registry.Rule{}, true},
		{"", registry.Rule{PathPrefix: "/"}, true},
		{"/users", registry.Rule{PathPrefix: "/"}, true},
		{"/users", registry.Rule{PathPrefix: "/users"}, true},
		{"/users", registry.Rule{PathPrefix: "/users/"}, true},
		{"/users/", registry.Rule{PathPrefix: "/users"}, true},
		{"/users/1", registry.Rule{PathPrefix: "/users/"}, true},
		{"/users-old", registry.Rule{PathPrefix: "/users"}, false},
		{"/Users", registry.Rule{PathPrefix: "/users"}, false},
		{"//users", registry.Rule{PathPrefix: "/users"}, false},
		{"/%75sers", registry.Rule{PathPrefix: "/users"}, false},
		{"/", registry.Rule{PathPrefix: "/users"}, false},
		{"/users", registry.Rule{Header: early}, true},
		{"/users", registry.Rule{PathPrefix: "/users", Header: early}, true},
		{"/orders", registry.Rule{PathPrefix: "/users", Header: early}, false},
		{"/users", registry.Rule{Header: registry.HeaderMatch{Name: "X-Other", Value: "early"}}, false},
		{"/users", registry.Rule{Header: registry.HeaderMatch{Name: "X-None", Value: "early"}}, false},
	} {
		if got := Matches(c.rule, c.path, h); got != c.want {
			t.Errorf("%q and %+v: %v", c.path, c.rule, got)
		}
	}
}

func asked(r *http.Request) Asked {
	return Asked{Service: "identity", Path: r.URL.EscapedPath(), Header: r.Header}
}

func TestTheFirstRuleThatMatchesCounts(t *testing.T) {
	rules := []registry.Rule{
		{PathPrefix: "/a", Header: registry.HeaderMatch{Name: "X-Cohort", Value: "early"}, Split: to("next")},
		{PathPrefix: "/a/b", Split: to("other")},
		{PathPrefix: "/a", Split: to("first")},
	}
	for path, want := range map[string]string{"/a/b?q": "other", "/a": "first", "/c": "identity"} {
		if got := Follow(rules, asked(httptest.NewRequest("GET", path, nil)), rand.IntN); got != want {
			t.Errorf("%s goes to %s", path, got)
		}
	}
	r := httptest.NewRequest("GET", "/a/b", nil)
	r.Header.Set("X-Cohort", "early")
	if got := Follow(rules, asked(r), rand.IntN); got != "next" {
		t.Errorf("goes to %s", got)
	}
}

func TestSplitsAreByWeight(t *testing.T) {
	split := []registry.Share{{Service: "a", Weight: 3}, {Service: "none", Weight: 0}, {Service: "b", Weight: 1}}
	got := ""
	for i := range 4 {
		got += pick(split, "self", func(n int) int {
			if n != 4 {
				t.Errorf("drawn from %d", n)
			}
			return i
		})
	}
	if got != "aaab" {
		t.Errorf("picked %s", got)
	}
	if got := pick([]registry.Share{{Service: "a"}}, "self", rand.IntN); got != "self" {
		t.Errorf("picked %s of nothing", got)
	}
}

func ExampleFollow() {
	canary := []registry.Rule{{Split: []registry.Share{{Service: "identity", Weight: 95}, {Service: "identity-next", Weight: 5}}}}
	asked := Asked{Service: "identity", Path: "/users/1"}
	fmt.Println(Follow(canary, asked, func(int) int { return 94 }))
	fmt.Println(Follow(canary, asked, func(int) int { return 95 }))
	// Output:
	// identity
	// identity-next
}
