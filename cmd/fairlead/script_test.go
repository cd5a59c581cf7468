package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// TestScripts tells stories of whole processes; see testdata/script. Beside
// the commands of package testscript there are:
//
//	up                     start `fairlead up` on the data in $WORK/data, and wait until it is ready
//	crash                  SIGKILL it
//	exits CODE PROGRAM …   run a program that has to end with this exit code
//	await SERVICE INSTANCE STATUS
//	                       wait until the table has it; gone, disabled and enabled are fine too
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("USER", "jane")
			env.Values[platformKey{}] = &platform{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up": scriptUp, "crash": scriptCrash, "exits": scriptExits, "await": scriptAwait,
		},
	})
}

// A platform is a script's `fairlead up`.
type platform struct {
	cmd   *exec.Cmd
	ready ready
}

type platformKey struct{}

func platformOf(ts *testscript.TestScript) *platform {
	return ts.Value(platformKey{}).(*platform)
}

// scriptUp uses the same addresses when it is called again, as a restarted
// service would.
func scriptUp(ts *testscript.TestScript, _ bool, _ []string) {
	p := platformOf(ts)
	p.cmd = exec.Command("fairlead", "up", "-o", "json", "--data", ts.MkAbs("data"),
		"--nats-addr", p.address(p.ready.NATS), "--http-addr", p.address(p.ready.HTTP), "--sidecar-addr", p.address(p.ready.Sidecar))
	p.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	out, err := p.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	ts.Defer(func() { p.end(syscall.SIGTERM) })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	ts.Check(err)
	ts.Check(json.Unmarshal(line, &p.ready))
	ts.Setenv("FAIRLEAD_NATS_URL", p.ready.NATS)
	ts.Setenv("FAIRLEAD_HTTP_ADDR", p.address(p.ready.HTTP))
	ts.Setenv("FAIRLEAD_SIDECAR_ADDR", p.address(p.ready.Sidecar))
}

func (p *platform) address(url string) string {
	if _, address, found := strings.Cut(url, "://"); found {
		return address
	}
	return "127.0.0.1:0"
}

func (p *platform) end(s os.Signal) {
	_ = p.cmd.Process.Signal(s)
	_ = p.cmd.Wait()
}

func scriptCrash(ts *testscript.TestScript, _ bool, _ []string) {
	platformOf(ts).end(syscall.SIGKILL)
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with %d (%v), want %d", strings.Join(args[1:], " "), got, err, want)
	}
}

func scriptAwait(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	session, err := connect.Open(ctx, connect.Options{Realm: "local", NATSURL: ts.Getenv("FAIRLEAD_NATS_URL"), WholeRealm: true, Logger: quiet()})
	ts.Check(err)
	defer func() { ts.Check(session.Close(context.Background())) }()
	ts.Check(session.Table().Ready(ctx))
	service, id, want := args[0], args[1], args[2]
	for {
		table, newer := session.Table().Table()
		in, listed := table.Service(service).Instance(id)
		if isAs(want, in, listed) {
			return
		}
		select {
		case <-newer:
		case <-ctx.Done():
			ts.Fatalf("%s/%s is not %s but %+v (listed: %t)", service, id, want, in, listed)
		}
	}
}

func isAs(want string, in registry.Instance, listed bool) bool {
	switch want {
	case "gone":
		return !listed
	case "enabled":
		return listed && in.Enabled
	case "disabled":
		return listed && !in.Enabled
	}
	return listed && string(in.Status) == want
}
