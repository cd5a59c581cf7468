package haproxy

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"fairlead.dev/registry"
)

// A Door is where a plane listens.
type Door struct {
	// Network is tcp or unix. Address is "host:port", where port 0 picks one,
	// or the path of a socket.
	Network, Address string
	// Service has every request that comes here, whatever it names; "" is as at
	// the plane's own address.
	Service string
}

func (d Door) check() error {
	if d.Service == "" {
		return nil
	}
	return registry.ValidateName("doors", d.Service)
}

// String is a door as HAProxy's description has it: identity@127.0.0.1:4100, or
// unix:path. It has neither blanks nor semicolons.
func (d Door) String() string {
	text := strings.ReplaceAll(url.PathEscape(d.Address), "@", "%40")
	if d.Network == "unix" {
		text = "unix:" + text
	}
	if d.Service != "" {
		text = d.Service + "@" + text
	}
	return text
}

// doorOf reads what String wrote.
func doorOf(text string) (d Door, err error) {
	if service, rest, ok := strings.Cut(text, "@"); ok {
		d.Service, text = service, rest
	}
	d.Network = "tcp"
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		d.Network, text = "unix", path
	}
	d.Address, err = url.PathUnescape(text)
	return d, err
}

// takes tells whether another door is what this one asks for.
func (d Door) takes(other Door) bool {
	if d.Network != other.Network || d.Service != other.Service {
		return false
	}
	host, port, err := net.SplitHostPort(d.Address)
	if d.Network == "unix" || err != nil || port != "0" {
		return d.Address == other.Address
	}
	at, _, err := net.SplitHostPort(other.Address)
	return err == nil && at == host
}

// describe joins doors to one word.
func describe(doors []Door) string {
	words := make([]string, len(doors))
	for i, d := range doors {
		words[i] = d.String()
	}
	return strings.Join(words, ";")
}

// described reads what describe wrote, if those are the doors that are wanted.
func described(text string, wanted []Door) ([]Door, bool) {
	words := strings.Split(text, ";")
	if len(words) != len(wanted) {
		return nil, false
	}
	doors := make([]Door, len(words))
	for i, word := range words {
		var err error
		if doors[i], err = doorOf(word); err != nil || !wanted[i].takes(doors[i]) {
			return nil, false
		}
	}
	return doors, true
}

// doors are all of a plane's, its own address first.
func (o Options) doors() []Door {
	return append([]Door{{Network: "tcp", Address: o.Addr}}, o.Doors...)
}

// listenAt opens doors, all or none, and tells where they are.
func (o Options) listenAt(doors []Door) (open []net.Listener, at []Door, err error) {
	for _, d := range doors {
		l, err := o.Listen(d.Network, d.Address)
		if err != nil {
			closeAll(open)
			return nil, nil, fmt.Errorf("listen for haproxy: %w", err)
		}
		// A socket's path is HAProxy's too, which may outlive this process.
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		open = append(open, l)
		d.Address = l.Addr().String()
		at = append(at, d)
	}
	return open, at, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}

// unlink removes the paths of sockets that nobody serves any more.
func unlink(doors []Door) {
	for _, d := range doors {
		if d.Network == "unix" {
			_ = os.Remove(d.Address)
		}
	}
}
