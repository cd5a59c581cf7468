package main

import "testing"

func TestWhatIsBeyondLoopbackHasToBeProtected(t *testing.T) {
	cases := []struct {
		address          string
		encrypted, login bool
		want             string
	}{
		{"nats://127.0.0.1:4222", false, false, isOK},
		{"nats://localhost:4222", false, false, isOK},
		{"nats://[::1]:4222", false, true, isOK},
		{"tls://192.0.2.1:4222", true, true, isOK},
		{"tls://192.0.2.1:4222", true, false, isFail},
		{"nats://192.0.2.1:4222", false, true, isFail},
		{"nats://bus1.example:4222", false, false, isFail},
	}
	for _, c := range cases {
		if d := judgeProtection(c.address, c.encrypted, c.login); d.Status != c.want || c.want == isFail && d.Hint == "" {
			t.Errorf("%s, TLS %t, login %t: %+v, want %s", c.address, c.encrypted, c.login, d, c.want)
		}
	}
}
