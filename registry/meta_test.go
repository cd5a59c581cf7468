package registry

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestDecodeMeta(t *testing.T) {
	cases := []struct{ text, problem string }{
		{`{}`, ""},
		{`{"owner":"accounts","description":"Who people are","repository":"https://git.example.com/identity","openapi":"/openapi.json","health":"/health","tags":["core","go"],"policy":{"attempts":3,"timeout":"2s","try_timeout":"500ms","route_override":true}}`, ""},
		{`{"repository":"ssh://git@example.com/identity.git","openapi":"https://example.com/a.json"}`, ""},
		{`{"policy":{"attempts":-1}}`, "policy.attempts: must be between 1 and 10, got -1"},
		{`{"policy":{"attempts":11}}`, "policy.attempts: must be between 1 and 10, got 11"},
		{`{"policy":{"attempts":"3"}}`, "policy.attempts: must be a whole number, got a JSON string"},
		{`{"policy":{"timeout":"soon"}}`, "policy.timeout: must be a duration such as"},
		{`{"policy":{"timeout":5}}`, "policy.timeout: must be a duration such as 500ms or 2s, got a JSON number"},
		{`{"policy":{"timeout":"0s"}}`, "policy.timeout: must be a duration such as"},
		{`{"policy":{"try_timeout":"-1s"}}`, "policy.try_timeout: must be"},
		{`{"policy":{"timeout":"500us"}}`, "policy.timeout: must be a duration such as 500ms or 2s, at least 1ms"},
		{`{"policy":{"try_timeout":"1ns"}}`, "policy.try_timeout: must be"},
		{`{"policy":{"timeout":"2h"}}`, "policy.timeout: must be"},
		{`{"policy":{"timeout":"1s","try_timeout":"2s"}}`, "policy.try_timeout: must be at most the timeout of 1s, got 2s"},
		{`{"policy":{"retries":3}}`, "retries: is not a known field"},
		{`{"policy":{"route_override":"yes"}}`, "policy.route_override: must be true or false"},
		{`{"owner":"a\nb"}`, "owner: must not contain"},
		{`{"owner":7}`, "owner: must be a string"},
		{`{"description":"` + strings.Repeat("x", 1025) + `"}`, "description: must be at most 1024"},
		{`{"repository":"git.example.com/identity"}`, "repository: must be a URL"},
		{`{"repository":"javascript:alert(1)"}`, "repository: must be a URL"},
		{`{"repository":"https://ann:secret@example.com/a"}`, "repository: must not have a password"},
		{`{"openapi":"openapi.json"}`, "openapi: must be a URL"},
		{`{"openapi":"//example.com/a"}`, "openapi: must be a URL, or a path"},
		{`{"health":"health"}`, "health: must be a path"},
		{`{"tags":["a","a"]}`, `tags: must differ, got "a" twice`},
		{`{"tags":["A"]}`, "tags: must be a DNS label"},
		{`{"tags":"a"}`, "tags: must be an array"},
		{`{"rules":[{"path_prefix":"/a/","header":{"name":"X-Cohort","value":"early, always"},"split":[{"service":"a","weight":0},{"service":"b","weight":100}]}]}`, ""},
		{`{"rules":[{"split":[{"service":"a","weight":1}]}]}`, ""},
		{`{"rules":[{"path_prefix":"/","split":[{"service":"a","weight":1}]}]}`, ""},
		{`{"rules":{}}`, "rules: must be an array"},
		{`{"rules":[{"path":"/a"}]}`, "path: is not a known field"},
		{`{"rules":[` + strings.Repeat(`{"split":[{"service":"a","weight":1}]},`, 16) + `{"split":[{"service":"a","weight":1}]}]}`, "rules: must be at most 16, got 17"},
		{`{"rules":[{"path_prefix":"a","split":[{"service":"a","weight":1}]}]}`, `rules[0].path_prefix: must begin with '/', got "a"`},
		{`{"rules":[{"path_prefix":"/a b","split":[{"service":"a","weight":1}]}]}`, "rules[0].path_prefix: must consist of"},
		{`{"rules":[{"path_prefix":"/a%2f","split":[{"service":"a","weight":1}]}]}`, "rules[0].path_prefix: must consist of"},
		{`{"rules":[{"path_prefix":"/a//b","split":[{"service":"a","weight":1}]}]}`, "rules[0].path_prefix: must not have empty segments"},
		{`{"rules":[{"path_prefix":"/a/..","split":[{"service":"a","weight":1}]}]}`, "rules[0].path_prefix: must not have empty segments"},
		{`{"rules":[{"path_prefix":"/` + strings.Repeat("a", 256) + `","split":[{"service":"a","weight":1}]}]}`, "rules[0].path_prefix: must be at most 256 characters, has 257"},
		{`{"rules":[{"header":{"name":"","value":"a"},"split":[{"service":"a","weight":1}]}]}`, "rules[0].header.name: must not be empty"},
		{`{"rules":[{"header":{"name":"a b","value":"a"},"split":[{"service":"a","weight":1}]}]}`, "rules[0].header.name: must consist of"},
		{`{"rules":[{"header":{"name":"x-forwarded-for","value":"a"},"split":[{"service":"a","weight":1}]}]}`, "rules[0].header.name: must not be a header that proxies"},
		{`{"rules":[{"header":{"name":"a"},"split":[{"service":"a","weight":1}]}]}`, "rules[0].header.value: must not be empty"},
		{`{"rules":[{"header":{"name":"a","value":"x'y"},"split":[{"service":"a","weight":1}]}]}`, "rules[0].header.value: must be printable"},
		{`{"rules":[{"header":{"name":"a","value":" x"},"split":[{"service":"a","weight":1}]}]}`, "rules[0].header.value: must be printable"},
		{`{"rules":[{}]}`, "rules[0].split: must have 1 to 8 services, has 0"},
		{`{"rules":[{"split":[{"service":"a","weight":1}]},{"split":[{"service":"a.b","weight":1}]}]}`, "rules[1].split[0].service: must be a DNS label"},
		{`{"rules":[{"split":[{"service":"a","weight":1},{"service":"a","weight":1}]}]}`, `rules[0].split[1].service: must differ from those before, got "a" twice`},
		{`{"rules":[{"split":[{"service":"a","weight":-1}]}]}`, "rules[0].split[0].weight: must be between 0 and 100, got -1"},
		{`{"rules":[{"split":[{"service":"a","weight":101}]}]}`, "rules[0].split[0].weight: must be between 0 and 100, got 101"},
		{`{"rules":[{"split":[{"service":"a","weight":0}]}]}`, "rules[0].split: must have a weight above 0"},
		{`{"team":"a"}`, "team: is not a known field"},
		{`accounts`, "body: must be JSON"},
	}
	for _, c := range cases {
		_, err := DecodeMeta([]byte(c.text))
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%s: %v", c.text, err)
		case c.problem != "" && (err == nil || !strings.HasPrefix(err.Error(), c.problem)):
			t.Errorf("%s: error %v, expected %q", c.text, err, c.problem)
		}
	}
}

func TestMetaIsWrittenAsItIsRead(t *testing.T) {
	m := Meta{Owner: "accounts", Tags: []string{"core"}, Policy: Policy{Attempts: 3, Timeout: Duration(90 * time.Second)}}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"owner":"accounts","tags":["core"],"policy":{"attempts":3,"timeout":"1m30s"}}`; string(text) != want {
		t.Errorf("written as %s, expected %s", text, want)
	}
	if again, err := DecodeMeta(text); err != nil || again.Hash("a") != m.Hash("a") {
		t.Errorf("read as %+v, %v", again, err)
	}
}

func TestRulesAreSomethingThatIsSaid(t *testing.T) {
	canary := Meta{Rules: []Rule{{Split: []Share{{"identity", 95}, {"identity-next", 5}}}}}
	more := Meta{Rules: []Rule{{Split: []Share{{"identity", 90}, {"identity-next", 10}}}}}
	if canary.IsZero() || canary.Hash("identity") == 0 {
		t.Error("rules alone pass for nothing")
	}
	if canary.Hash("identity") == more.Hash("identity") {
		t.Error("the digest does not see the weights of a rule")
	}
	if (Meta{Rules: []Rule{}}).Hash("identity") != 0 {
		t.Error("no rules pass for something")
	}
}

func TestMetadataTravelsWithTheTable(t *testing.T) {
	accounts := Meta{Owner: "accounts"}
	in := Instance{Service: "identity", ID: "a", Status: Passing, Enabled: true, Revision: 5}
	bare := NewTable("local", "e").WithInstance(in)
	told := bare.WithMeta("identity", accounts, 6)
	if s := told.Service("identity"); s.Meta.Owner != "accounts" || s.MetaRevision != 6 || s.Revision != 6 || s.Len() != 1 {
		t.Errorf("the service is %+v", s)
	}
	if told.Hash() == bare.Hash() {
		t.Error("the digest does not see metadata")
	}
	if bare.Service("identity").MetaRevision != 0 {
		t.Error("the table before was changed")
	}
	for name, table := range map[string]*Table{
		"another instance":   told.WithInstance(Instance{Service: "identity", ID: "b", Revision: 7}).WithoutInstance("identity", "b", 8),
		"a list of all":      told.WithService("identity", 8, []Instance{in}),
		"a snapshot":         NewTable("local", "e").WithSnapshot(told.Snapshot(Interest{Realm: "local"}).Services[0]),
		"one before another": NewTable("local", "e").WithMeta("identity", accounts, 6).WithInstance(in),
	} {
		if s := table.Service("identity"); s.Hash() != told.Hash() || s.MetaRevision != 6 {
			t.Errorf("after %s: %+v", name, s)
		}
	}
	if taken := told.WithMeta("identity", Meta{}, 9); taken.Hash() != bare.Hash() {
		t.Error("metadata that was taken away is still in the digest")
	}
	if other := bare.WithMeta("billing", accounts, 7); other.Hash() == told.Hash() {
		t.Error("the digest does not tell services apart")
	}
}

func FuzzDecodeMeta(f *testing.F) {
	for _, s := range []string{`{}`, `{"owner":"a","policy":{"timeout":"1s"}}`, `{"policy":{"timeout":"x"}}`, `{"repository":"https://\u0000"}`, `[]`, `{"tags":[null]}`, `{"rules":[{"path_prefix":"/a","header":{"name":"b","value":"c"},"split":[{"service":"d","weight":1}]}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeMeta(data)
		if err != nil {
			if len(fieldsOf(err)) == 0 || strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error is not fit for a line: %q", err)
			}
			return
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodeMeta(text); err != nil || again.Hash("a") != m.Hash("a") {
			t.Errorf("%q became %s: %+v, %v", data, text, again, err)
		}
	})
}
