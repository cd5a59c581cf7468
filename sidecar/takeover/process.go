package takeover

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Names in the environment of a successor, beside systemd's.
const (
	envListeners = "FAIRLEAD_TAKEOVER"
	envState     = "FAIRLEAD_TAKEOVER_STATE"
)

// firstDescriptor follows standard input, output and error.
const firstDescriptor = 3

// Options of a process. The zero value is ready.
type Options struct {
	Logger *slog.Logger // nil: slog.Default()
}

// A Process is this one, with what it was given and what it can hand on. Its
// methods may be called concurrently.
type Process struct {
	log     *slog.Logger
	manager manager
	// predecessor is nil unless there is one that waits for Ready.
	predecessor net.Conn
	state       string
	// upgrading is true from the beginning of an upgrade, for good if it succeeds.
	upgrading atomic.Bool

	mu        sync.Mutex
	inherited map[string]*os.File // by what they were asked for, or their address
	held      []held
	successor *os.File // the end of the line to it, once there is one
}

// A held listener can be handed on.
type held struct {
	name string
	conn syscall.Conn
	// keep has the end of a listener not be the end of its address.
	keep func()
}

// FromEnvironment takes over what the environment says this process was given,
// and removes it from there, so that no other child takes it for its own. Call
// it once.
func FromEnvironment(opts Options) (*Process, error) {
	p := &Process{log: cmp.Or(opts.Logger, slog.Default()).With("component", "takeover"), inherited: map[string]*os.File{}}
	p.manager = managerOf(os.Getenv)
	p.state = os.Getenv(envState)
	names, succeeds := os.LookupEnv(envListeners)
	if succeeds {
		if err := p.inherit(names); err != nil {
			return nil, fmt.Errorf("take over: %w", err)
		}
	} else if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		p.inheritActivated(os.Getenv("LISTEN_FDS"))
	}
	for _, name := range []string{envListeners, envState, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC", "NOTIFY_SOCKET"} {
		_ = os.Unsetenv(name)
	}
	return p, nil
}

// inherit takes the line to the predecessor, and its listeners.
func (p *Process) inherit(names string) error {
	line := descriptor(firstDescriptor, "line")
	defer line.Close()
	conn, err := net.FileConn(line)
	if err != nil {
		return fmt.Errorf("line to the predecessor: %w", err)
	}
	p.predecessor = conn
	for i, name := range strings.Fields(names) {
		p.inherited[name] = descriptor(firstDescriptor+1+i, name)
	}
	return nil
}

// inheritActivated takes systemd's listeners, which go by their addresses.
func (p *Process) inheritActivated(count string) {
	n, _ := strconv.Atoi(count) // none, if it makes no sense
	for i := range n {
		file := descriptor(firstDescriptor+i, "systemd")
		name, err := addressOf(file)
		if err != nil {
			p.log.Warn("socket from the service manager is not to be used", "error", err)
			_ = file.Close()
			continue
		}
		p.inherited[name] = file
	}
}

func descriptor(n int, name string) *os.File {
	syscall.CloseOnExec(n)
	return os.NewFile(uintptr(n), name)
}

// addressOf names a socket as Listen or ListenPacket would be asked for it.
func addressOf(file *os.File) (string, error) {
	if l, err := net.FileListener(file); err == nil {
		defer l.Close()
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		return nameOf(l.Addr().Network(), l.Addr().String()), nil
	}
	c, err := net.FilePacketConn(file)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return nameOf(c.LocalAddr().Network(), c.LocalAddr().String()), nil
}

// nameOf has no blank, which separates names.
func nameOf(network, address string) string {
	return network + "/" + strings.ReplaceAll(address, " ", "%20")
}

// State is what the predecessor gave to Upgrade.
func (p *Process) State() string { return p.state }

// Succeeds tells whether there is a predecessor that waits for Ready.
func (p *Process) Succeeds() bool { return p.predecessor != nil }

// Inherits tells whether Listen or ListenPacket would return what was inherited.
func (p *Process) Inherits(network, address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inherited[nameOf(network, address)] != nil
}

func (p *Process) take(name string) *os.File {
	p.mu.Lock()
	defer p.mu.Unlock()
	file := p.inherited[name]
	delete(p.inherited, name)
	return file
}

func (p *Process) hold(h held) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = append(p.held, h)
}

// Listen returns the inherited listener that was asked for by the same network
// and address, or opens a new one. Errors are those of [net.Listen].
func (p *Process) Listen(network, address string) (net.Listener, error) {
	name := nameOf(network, address)
	l, err := p.listen(p.take(name), network, address)
	if err != nil {
		return nil, err
	}
	h := held{name: name, keep: func() {}}
	switch l := l.(type) {
	case *net.TCPListener:
		h.conn = l
	case *net.UnixListener:
		h.conn, h.keep = l, func() { l.SetUnlinkOnClose(false) }
	}
	p.hold(h)
	return l, nil
}

func (p *Process) listen(file *os.File, network, address string) (net.Listener, error) {
	if file == nil {
		return net.Listen(network, address)
	}
	defer file.Close()
	return net.FileListener(file)
}

// ListenPacket is Listen for UDP.
func (p *Process) ListenPacket(network, address string) (net.PacketConn, error) {
	name := nameOf(network, address)
	c, err := p.listenPacket(p.take(name), network, address)
	if err != nil {
		return nil, err
	}
	if u, ok := c.(*net.UDPConn); ok {
		p.hold(held{name: name, conn: u, keep: func() {}})
	}
	return c, nil
}

func (p *Process) listenPacket(file *os.File, network, address string) (net.PacketConn, error) {
	if file == nil {
		return net.ListenPacket(network, address)
	}
	defer file.Close()
	return net.FilePacketConn(file)
}

// dropUnused closes what nobody asked for.
func (p *Process) dropUnused() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, file := range p.inherited {
		p.log.Warn("inherited socket is used by nothing", "address", name)
		_ = file.Close()
		delete(p.inherited, name)
	}
}

// files are duplicates of what is held, for a successor.
func (p *Process) files() (names []string, files []*os.File, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.held {
		file, fileErr := duplicate(h.conn)
		if fileErr != nil {
			err = errors.Join(err, fmt.Errorf("hand %s over: %w", h.name, fileErr))
			continue
		}
		names, files = append(names, h.name), append(files, file)
	}
	return names, files, err
}

// duplicate is what File of a listener does, but for one thing: handing that
// one to a child makes the socket block, for this process too, whose Accept
// would then not end when its listener is closed.
func duplicate(conn syscall.Conn) (*os.File, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	// No other child that is started meanwhile is to inherit it.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var fd int
	var dupErr error
	if err := raw.Control(func(of uintptr) { fd, dupErr = syscall.Dup(int(of)) }); err != nil || dupErr != nil {
		return nil, errors.Join(err, dupErr)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "listener"), nil
}
