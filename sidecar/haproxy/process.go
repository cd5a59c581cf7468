package haproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A process is HAProxy's master, started here or found running.
type process struct {
	master *os.Process
	// ended is closed when it is no more.
	ended chan struct{}
}

// masterAt is where a master takes commands, and an argument that no other
// program has.
const masterAt = "unix@" + masterSock + ",mode,600"

// startMaster starts HAProxy with the listeners as its files from 3 on.
func startMaster(program string, in folder, listeners []net.Listener) (*process, error) {
	passed, err := filesOf(listeners)
	if err != nil {
		return nil, err
	}
	defer closeFiles(passed)
	log, err := os.OpenFile(in.file(logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open haproxy's log: %w", err)
	}
	defer log.Close()
	c := exec.Command(program, "-W", "-S", masterAt, "-p", pidFile, "-f", configFile)
	c.Dir, c.Stdout, c.Stderr, c.ExtraFiles = in.path, log, log, passed
	detach(c)
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start haproxy: %w", err)
	}
	p := &process{master: c.Process, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = c.Wait()
	}()
	return p, nil
}

// inherited is how the configuration calls what startMaster passes on.
func inherited(door int) string { return "fd@" + strconv.Itoa(3+door) }

func filesOf(listeners []net.Listener) (files []*os.File, err error) {
	for _, l := range listeners {
		file, err := fileOf(l)
		if err != nil {
			closeFiles(files)
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

func fileOf(l net.Listener) (*os.File, error) {
	with, ok := l.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, fmt.Errorf("pass the listener to haproxy: %T has no file", l)
	}
	file, err := with.File()
	if err != nil {
		return nil, fmt.Errorf("pass the listener to haproxy: %w", err)
	}
	return file, nil
}

// pollEnd is how often a process that is no child of ours is looked at.
const pollEnd = 50 * time.Millisecond

// mastersIn returns the masters that run in a folder, the one first that the
// folder says it is. The folder alone would not do: HAProxy notes its number
// there only a while after it was started.
func mastersIn(in folder) (pids []int) {
	noted, _ := os.ReadFile(in.file(pidFile))
	for _, pid := range allIn(in) {
		switch {
		case isHAProxy(parentOf(pid)):
		case strconv.Itoa(pid) == strings.TrimSpace(string(noted)):
			pids = slices.Insert(pids, 0, pid)
		default:
			pids = append(pids, pid)
		}
	}
	return pids
}

// allIn returns the masters and workers that run in a folder.
func allIn(in folder) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*")
	for _, file := range files {
		if pid, _ := strconv.Atoi(filepath.Base(file)); runsIn(pid, in.path) && isHAProxy(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// workersOf returns those of a master.
func workersOf(master int, in folder) []int {
	return slices.DeleteFunc(allIn(in), func(pid int) bool { return parentOf(pid) != master })
}

// isHAProxy tells whether a process was started as a master is, or is a worker
// of one.
func isHAProxy(pid int) bool {
	return slices.Contains(strings.Split(commandOf(pid), "\x00"), masterAt)
}

// commandOf returns a process's arguments. One that begins another program has
// none for a moment, as a master does that starts itself anew once it has a
// worker; it must not be taken for gone, nor its worker for a master.
func commandOf(pid int) string {
	for range 20 {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		if err != nil || len(text) > 0 {
			return string(text)
		}
		time.Sleep(time.Millisecond)
	}
	return ""
}

// parentOf returns 0 for a process that is gone.
func parentOf(pid int) (parent int) {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	// The name, in brackets, may be anything.
	if at := bytes.LastIndexByte(text, ')'); at >= 0 {
		var state string
		_, _ = fmt.Sscan(string(text[at+1:]), &state, &parent)
	}
	return parent
}

// watched is a process that is no child of ours, until stop is closed.
func watched(pid int, in folder, stop <-chan struct{}) (*process, error) {
	master, err := os.FindProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("find haproxy: %w", err)
	}
	p := &process{master: master, ended: make(chan struct{})}
	go p.watch(in, stop)
	return p, nil
}

// runsIn tells whether a process works in a folder, so that a number that was
// given to another one is not taken for HAProxy.
func runsIn(pid int, path string) bool {
	at, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
	if err != nil {
		return false
	}
	real, err := filepath.EvalSymlinks(path)
	return err == nil && at == real
}

// watch looks whether the process still works in its folder. One that has ended
// does not, even if whoever ought to does not collect it.
func (p *process) watch(in folder, stop <-chan struct{}) {
	defer close(p.ended)
	tick := time.NewTicker(pollEnd)
	defer tick.Stop()
	for runsIn(p.master.Pid, in.path) {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

// stop lets HAProxy finish what is in flight, and ends it then, or when ctx
// ends. Connections without a request would keep it: with
// idle-close-on-response it does not close them by itself.
func (p *process) stop(ctx context.Context, in folder) error {
	worker, err := askInfo(ctx, runtimeAPI{in.file(runtimeSock)})
	_ = p.master.Signal(gracefully)
	if err == nil {
		p.waitIdle(ctx, runtimeAPI{in.file(masterSock)}, worker.pid)
	} else {
		p.wait(ctx)
	}
	return p.cut(in)
}

// cut ends HAProxy, whatever is in flight. A worker that hangs hears neither its
// master nor that it is gone, and would keep callers waiting at its address.
func (p *process) cut(in folder) error {
	workers := workersOf(p.master.Pid, in)
	for _, how := range []os.Signal{atOnce, os.Kill} {
		_ = p.master.Signal(how)
		if p.endsWithin(time.Second) {
			killThose(workers, in)
			return nil
		}
	}
	return errors.New("stop haproxy: it does not end")
}

// killThose ends the workers that are left.
func killThose(workers []int, in folder) {
	for _, pid := range workers {
		if worker, err := os.FindProcess(pid); err == nil && runsIn(pid, in.path) {
			_ = worker.Kill()
		}
	}
}

func (p *process) endsWithin(most time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	return p.wait(ctx)
}

// waitIdle waits until a worker that is stopping has no request left.
func (p *process) waitIdle(ctx context.Context, master runtimeAPI, worker int) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.ended:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if isIdle(ctx, master, worker) {
			return
		}
	}
}

func (p *process) wait(ctx context.Context) (ended bool) {
	select {
	case <-p.ended:
		return true
	case <-ctx.Done():
		return false
	}
}

// info is what a worker tells of itself.
type info struct {
	pid         int
	description string
	version     string
	stopping    bool
}

func askInfo(ctx context.Context, api runtimeAPI) (info, error) {
	answers, err := api.ask(ctx, "show info")
	if err != nil {
		return info{}, err
	}
	return readInfo(answers[0]), nil
}

func readInfo(text string) (i info) {
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Pid":
			i.pid, _ = strconv.Atoi(value)
		case "description":
			i.description = value
		case "Stopping":
			i.stopping = value != "0"
		case "Version":
			i.version = value
		}
	}
	return i
}

// reload has the master start a new worker with the configuration on disk. It
// answers nothing; awaitWorker tells whether it worked.
func reload(ctx context.Context, in folder) error {
	conn, err := dialMaster(ctx, in)
	if err != nil {
		return fmt.Errorf("reload haproxy: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("reload\n")); err != nil {
		return fmt.Errorf("reload haproxy: %w", err)
	}
	// The master closes the connection as it executes itself anew.
	_, _ = conn.Read(make([]byte, 1))
	return nil
}

// dialMaster waits for a master that is busy with the reload before: its worker
// takes commands sooner than it does.
func dialMaster(ctx context.Context, in folder) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		conn, err := dialSocket(ctx, in.file(masterSock))
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// check has HAProxy read the configuration that is to be checked, for so many
// doors; what it finds fault with is the error.
func check(ctx context.Context, program string, in folder, doors int) error {
	// It looks at what it would inherit, and any listener will do for all.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("check haproxy's configuration: %w", err)
	}
	defer listener.Close()
	passed, err := fileOf(listener)
	if err != nil {
		return err
	}
	defer passed.Close()
	c := exec.CommandContext(ctx, program, "-c", "-f", checkedFile)
	c.Dir, c.ExtraFiles = in.path, slices.Repeat([]*os.File{passed}, doors)
	said, err := c.CombinedOutput()
	if err == nil {
		return nil
	}
	if found := complaintsIn(string(said)); found != "" {
		return fmt.Errorf("%w: %s", ErrRejected, found)
	}
	return fmt.Errorf("%w: %w: %.500s", ErrRejected, err, said)
}
