package bus_test

import (
	"strings"
	"testing"

	"fairlead.dev/bus"
)

func TestEventSubject(t *testing.T) {
	cases := []struct {
		realm, service, eventType string
		want, names               string // the subject, or what the error names
	}{
		{"local", "identity", "user.created", "events.v1.local.identity.user.created", ""},
		{"local", "identity", "x", "events.v1.local.identity.x", ""},
		{"", "identity", "x", "", "realm"},
		{"local.eu", "identity", "x", "", "realm"},
		{"local", "iden tity", "x", "", "service"},
		{"local", "identity", "", "", "type"},
		{"local", "identity", "a..b", "", "type"},
		{"local", "identity", "a\nb", "", "type"},
		{"*", "identity", "x", "", "wildcards"},
		{"local", "identity", ">", "", "wildcards"},
	}
	for _, test := range cases {
		got, err := bus.EventSubject(test.realm, test.service, test.eventType)
		if got != test.want || (err == nil) != (test.names == "") {
			t.Errorf("%+v: got %q, %v", test, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), test.names) {
			t.Errorf("%+v: %v does not name %s", test, err, test.names)
		}
	}
}

func TestFeedSubjectTakesWildcards(t *testing.T) {
	got, err := bus.FeedSubject("local", "*", ">")
	if got != "feed.v1.local.*.>" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestParseSubject(t *testing.T) {
	for subject, want := range map[string][3]string{
		"events.v1.local.identity.deploy.started": {"local", "identity", "deploy.started"},
		"feed.v1.local.identity.x":                {"local", "identity", "x"},
		"events.v1.local.identity":                {},
		"atlas.v1.routes.local.identity":          {},
		"":                                        {},
	} {
		realm, service, eventType, ok := bus.ParseSubject(subject)
		if got := [3]string{realm, service, eventType}; got != want || ok != (want[0] != "") {
			t.Errorf("%s: got %v, %v", subject, got, ok)
		}
	}
}
