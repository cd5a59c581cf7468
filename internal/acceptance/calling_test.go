package acceptance

import "testing"

// Programs that call by name without any library of ours.
const (
	pythonByProxy  = `import sys, urllib.request; sys.stdout.write(urllib.request.urlopen("http://identity.service/users/1").read().decode())`
	nodeByHeader   = `require("http").get(process.argv[1] + "/users/1", {headers: {"Fairlead-Service": "identity"}}, r => r.pipe(process.stdout))`
	expectedUser   = `{"id":"1","name":"User 1"}` + "\n"
	byHeader       = "Fairlead-Service: identity"
	internalDomain = "http://identity.service.internal/users/1"
	shortDomain    = "http://identity.service/users/1"
)

func TestEveryWayToCallGivesTheSameBody(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	for name, p := range planes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			giveTheUser(t, throughSidecar(p.supervise(r, t).url))
		})
	}
	giveTheUser(t, map[string]func(*testing.T) string{
		"through the bridge":    func(t *testing.T) string { return curl(t, r.HTTP+"/call/identity/users/1").body },
		"from the command line": func(t *testing.T) string { return r.succeed(t, "call", "GET", "service://identity/users/1") },
	})
}

func giveTheUser(t *testing.T, ways map[string]func(*testing.T) string) {
	t.Helper()
	for name, call := range ways {
		t.Run(name, func(t *testing.T) {
			if body := call(t); body != expectedUser {
				t.Errorf("got %q, want %q", body, expectedUser)
			}
		})
	}
}

// throughSidecar are programs as they are, and curl in every way.
func throughSidecar(sidecar string) map[string]func(*testing.T) string {
	proxy := []string{"http_proxy=" + sidecar}
	return map[string]func(*testing.T) string{
		"by header":                 func(t *testing.T) string { return curl(t, "-H", byHeader, sidecar+"/users/1").body },
		"by host":                   func(t *testing.T) string { return curl(t, "-H", "Host: identity.service", sidecar+"/users/1").body },
		"through a proxy":           func(t *testing.T) string { return curlWith(t, proxy, shortDomain).body },
		"through a proxy, internal": func(t *testing.T) string { return curlWith(t, proxy, internalDomain).body },
		"from Python, through a proxy": func(t *testing.T) string {
			return output(t, proxy, need(t, "python3"), "-c", pythonByProxy)
		},
		"from Node, by header": func(t *testing.T) string { return output(t, nil, need(t, "node"), "-e", nodeByHeader, sidecar) },
	}
}

// output runs a program that has to succeed.
func output(t *testing.T, env []string, command ...string) string {
	t.Helper()
	got := run(t, env, command...)
	if got.code != 0 {
		t.Fatalf("%s: exit code %d: %s", command[0], got.code, got.err)
	}
	return got.out
}
