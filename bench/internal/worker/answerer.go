package worker

import (
	"net"
	"sync"
)

// An answerer accepts connections on the port that the worker's instances are
// registered with, as long as the process lives: what a registry probes.
type answerer struct {
	listener net.Listener
	port     int
	done     sync.WaitGroup
}

func newAnswerer() (*answerer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &answerer{listener: l, port: l.Addr().(*net.TCPAddr).Port}
	a.done.Go(a.run)
	return a, nil
}

func (a *answerer) run() {
	for {
		c, err := a.listener.Accept()
		if err != nil {
			return
		}
		_ = c.Close()
	}
}

func (a *answerer) close() {
	_ = a.listener.Close()
	a.done.Wait()
}
