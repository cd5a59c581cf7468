package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// listen opens a flag's address. Errors name the flag, so that who finds a
// port taken knows what to change.
func listen(flag, address string) (net.Listener, error) {
	return listenBy(net.Listen, flag, address)
}

// listenBy is listen with another way to open addresses.
func listenBy(open func(network, address string) (net.Listener, error), flag, address string) (net.Listener, error) {
	if _, _, err := splitAddress(flag, address); err != nil {
		return nil, err
	}
	l, err := open("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--%s: %s is in use; is another fairlead running?", flag, address)
	case err != nil:
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return l, nil
}

// mayListen tells what would keep somebody else from opening a flag's address.
func mayListen(flag, address string) error {
	l, err := listen(flag, address)
	if err != nil {
		return err
	}
	return l.Close()
}

// checkBusURL refuses what could never lead to a bus. It shows no URL: there
// may be a password in it.
func checkBusURL(urls string) error {
	if urls == "" {
		return nil
	}
	for one := range strings.SplitSeq(urls, ",") {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		if problem := busURLProblem(one); problem != "" {
			return usagef("--nats-url: must be like nats://127.0.0.1:4222, %s", problem)
		}
	}
	return nil
}

func busURLProblem(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "and is no URL"
	}
	port, err := strconv.Atoi(cmp.Or(u.Port(), "4222"))
	switch {
	case !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
		return fmt.Sprintf("not of scheme %q", u.Scheme)
	case u.Hostname() == "":
		return "with a host"
	case err != nil || port < 1 || port > 65535:
		return "with a port between 1 and 65535, got " + u.Port()
	}
	return ""
}

// splitAddress reads "host:port"; port 0 picks a free one.
func splitAddress(flag, address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, usagef("--%s: must be HOST:PORT, got %q", flag, address)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, usagef("--%s: port must be between 0 and 65535, got %q", flag, text)
	}
	return host, port, nil
}

// loopbackOnly refuses to offer to the network what asks nobody for
// credentials.
func loopbackOnly(flag, address string) error {
	local, err := isLoopback(flag, address)
	if err != nil || local {
		return err
	}
	return usagef("--%s: must be a loopback address, got %q: connections are neither encrypted nor authenticated", flag, address)
}

func isLoopback(flag, address string) (bool, error) {
	host, _, err := splitAddress(flag, address)
	if err != nil {
		return false, err
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback(), nil
}

// mayBeOffered refuses what loopbackOnly does, unless there are keys.
func (f *controlPlaneFlags) mayBeOffered(flag, address string) error {
	local, err := isLoopback(flag, address)
	if err != nil || local || f.security != "" {
		return err
	}
	return usagef(`--%s: %s is beyond loopback, which takes TLS and credentials: make them by "fairlead init --security DIR --host NAME", and start with --security DIR`, flag, address)
}

// ready is what --ready-file says once everything answers.
type ready struct {
	NATS    string `json:"nats,omitempty"`
	HTTP    string `json:"http,omitempty"`
	Sidecar string `json:"sidecar,omitempty"`
	PID     int    `json:"pid"`
}

func newReady(nats, http, sidecar string) ready {
	return ready{NATS: nats, HTTP: http, Sidecar: sidecar, PID: os.Getpid()}
}

// remove takes the file away when the addresses are no longer true.
func removeReady(file string) error {
	if file == "" {
		return nil
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--ready-file: %w", err)
	}
	return nil
}

// write replaces the file at once, so that nobody reads half of it.
func (r ready) write(file string) error {
	if file == "" {
		return nil
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("--ready-file: %w", err)
	}
	part, err := os.CreateTemp(filepath.Dir(file), ".ready-*")
	if err != nil {
		return fmt.Errorf("--ready-file: %w", err)
	}
	_, err = part.Write(append(data, '\n'))
	if closeErr := part.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		_ = os.Remove(part.Name())
		return fmt.Errorf("--ready-file: %w", err)
	}
	return nil
}

func httpURL(l net.Listener) string { return "http://" + l.Addr().String() }
