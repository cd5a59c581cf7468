package process

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports that servers get: below those that the kernel gives to clients. A
// server that is restarted has to find its port free, and clients that try to
// reconnect meanwhile must not connect to themselves.
const (
	portLeast = 20000
	portMost  = 30000
)

var errNoPort = errors.New("no free port between 20000 and 30000")

// FreePort returns a port that nobody listens on.
func FreePort() (int, error) {
	for range 100 {
		port := portLeast + rand.IntN(portMost-portLeast)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errNoPort
}
