package registry

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestDecodeFlag(t *testing.T) {
	until := time.Date(2030, 1, 31, 18, 0, 0, 0, time.UTC)
	cases := []struct {
		text    string
		want    Flag
		problem string
	}{
		{"true", Flag{Enabled: true}, ""},
		{" false\n", Flag{}, ""},
		{"False", Flag{}, ""},
		{`{"enabled":false,"owner":"ana","reason":"broken disk","until":"2030-01-31T18:00:00Z"}`, Flag{Owner: "ana", Reason: "broken disk", Until: until}, ""},
		{`{"enabled":true}`, Flag{Enabled: true}, ""},
		{``, Flag{}, "enabled: must be a bare value or a JSON object"},
		{`yes`, Flag{}, "enabled: must be a bare value or a JSON object"},
		{`"false"`, Flag{}, "enabled: must be"},
		{`{}`, Flag{}, "enabled: must be given"},
		{`{"enabled":"no"}`, Flag{}, "enabled: must be true or false"},
		{`{"enabled":true,"why":"x"}`, Flag{}, "why: is not a known field"},
		{`{"enabled":false,"until":"tomorrow"}`, Flag{}, "until: must be a time like"},
		{`{"enabled":false,"until":7}`, Flag{}, "until: must be"},
		{`{"enabled":false,"reason":"` + strings.Repeat("x", 600) + `"}`, Flag{}, "reason: must be at most 512"},
		{`{"enabled":false,"owner":"a\nb"}`, Flag{}, "owner: must not contain"},
		{`[true]`, Flag{}, "enabled: must be"},
	}
	for _, c := range cases {
		f, err := DecodeFlag([]byte(c.text))
		switch {
		case c.problem == "" && (err != nil || f != c.want):
			t.Errorf("%q: %+v, %v", c.text, f, err)
		case c.problem != "" && (err == nil || !strings.HasPrefix(err.Error(), c.problem)):
			t.Errorf("%q: error %v, expected %q", c.text, err, c.problem)
		}
	}
}

func TestDecodeWeight(t *testing.T) {
	cases := []struct {
		text    string
		want    int
		problem string
	}{
		{"7", 7, ""},
		{" 1000\n", 1000, ""},
		{`{"weight":50,"owner":"ana"}`, 50, ""},
		{"0", 0, "weight: must be between 1 and 1000, got 0"},
		{"1001", 0, "weight: must be between"},
		{"many", 0, "weight: must be a bare value"},
		{`{"owner":"ana"}`, 0, "weight: must be between"},
		{`{"weight":"7"}`, 0, "weight: must be a whole number"},
	}
	for _, c := range cases {
		w, err := DecodeWeight([]byte(c.text))
		switch {
		case c.problem == "" && (err != nil || w.Weight != c.want):
			t.Errorf("%q: %+v, %v", c.text, w, err)
		case c.problem != "" && (err == nil || !strings.HasPrefix(err.Error(), c.problem)):
			t.Errorf("%q: error %v, expected %q", c.text, err, c.problem)
		}
	}
}

func TestDecodeDrain(t *testing.T) {
	cases := []struct {
		text    string
		want    bool
		problem string
	}{
		{"true", true, ""},
		{"false", false, ""},
		{`{"drain":true,"reason":"kernel"}`, true, ""},
		{"1", false, "drain: must be"},
		{`{"drain":1}`, false, "drain: must be true or false"},
		{`{"reason":"kernel"}`, false, "drain: must be given"},
	}
	for _, c := range cases {
		d, err := DecodeDrain([]byte(c.text))
		switch {
		case c.problem == "" && (err != nil || d.Drain != c.want):
			t.Errorf("%q: %+v, %v", c.text, d, err)
		case c.problem != "" && (err == nil || !strings.HasPrefix(err.Error(), c.problem)):
			t.Errorf("%q: error %v, expected %q", c.text, err, c.problem)
		}
	}
}

func TestAFlagEndsByItself(t *testing.T) {
	now := time.Date(2030, 1, 31, 18, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		until time.Time
		want  bool
	}{{time.Time{}, false}, {now.Add(time.Nanosecond), false}, {now, true}, {now.Add(-time.Hour), true}} {
		if got := (Flag{Until: c.until}).Expired(now); got != c.want {
			t.Errorf("until %s: expired is %v", c.until, got)
		}
	}
}

func FuzzDecodeFlag(f *testing.F) {
	for _, s := range []string{"true", "false", `{"enabled":false,"until":"2030-01-31T18:00:00Z"}`, "{}", "nul", `{"enabled":null}`, "{\"enabled\":true,\"owner\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		flag, err := DecodeFlag(data)
		if err != nil {
			if len(fieldsOf(err)) == 0 || strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error is not fit for a line: %q", err)
			}
			return
		}
		text, err := json.Marshal(flag)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodeFlag(text); err != nil || !again.Until.Equal(flag.Until) || again.Enabled != flag.Enabled {
			t.Errorf("%q became %s: %+v, %v", data, text, again, err)
		}
	})
}
