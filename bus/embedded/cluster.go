package embedded

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster makes a server one of several that keep the same data. Peers,
// Password, Name and [Options.Passwords] are the same on every node; Listen
// and the server's name are its own.
type Cluster struct {
	Name      string   // default "fairlead"
	Listen    string   // HOST:PORT for the other nodes
	Advertise string   // HOST:PORT that they should use instead of Listen
	Peers     []string // HOST:PORT of the nodes; this one's may be among them
	Password  string   // of the nodes to each other

	// TLS is spoken between the nodes, both of which prove who they are; nil:
	// none is.
	TLS *tls.Config
}

// Passwords of the users. Those that are empty are made at a data directory's
// first start.
type Passwords struct {
	Atlas, Sys, App string
}

const (
	defaultClusterName = "fairlead"
	clusterUser        = "fairlead"

	// mostReplicas outlive the loss of one node; more would only slow writes.
	mostReplicas = 3

	// A node that stops first hands over what it leads, which takes a second,
	// and then closes its clients' connections one after the other, so that
	// they do not come to the other nodes all at once.
	farewellPause = 10 * time.Millisecond
	farewell      = 500 * time.Millisecond

	quorumPoll = 50 * time.Millisecond
	// What takes no longer than this is an ordinary start.
	quorumPatience = 2 * time.Second
	quorumRemind   = 15 * time.Second
)

// Size is how many nodes the cluster has.
func (c *Cluster) Size() int {
	if c == nil {
		return 1
	}
	nodes := map[string]bool{cmp.Or(c.Advertise, c.Listen): true}
	for _, peer := range c.Peers {
		nodes[peer] = true
	}
	return len(nodes)
}

// Replicas is how many copies of what is stored the cluster should keep.
func (c *Cluster) Replicas() int { return min(c.Size(), mostReplicas) }

// check says what would keep the nodes from finding each other.
// Where users have keys of their own, a node's own users are nobody else's.
func (c *Cluster) check(p Passwords, users string) error {
	for _, one := range slices.Concat([]string{c.Listen}, c.Peers) {
		if _, _, err := hostPort(one); err != nil {
			return fmt.Errorf("embedded bus: cluster: %w", err)
		}
	}
	switch {
	case len(c.Peers) == 0:
		return errors.New("embedded bus: cluster: Peers: expected the addresses of the other nodes")
	case c.Password == "" || users == "" && (p.Atlas == "" || p.Sys == "" || p.App == ""):
		return errors.New("embedded bus: cluster: expected the passwords that all nodes share")
	}
	return nil
}

func hostPort(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("%q: expected HOST:PORT", address)
	}
	return host, port, nil
}

// join adds what makes a single server a node of the cluster.
func (c *Cluster) join(so *server.Options) error {
	host, port, err := hostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("embedded bus: cluster: %w", err)
	}
	so.Cluster = server.ClusterOpts{
		Name: cmp.Or(c.Name, defaultClusterName), Host: host, Port: port,
		Username: clusterUser, Password: c.Password, Advertise: c.Advertise,
		TLSConfig: c.TLS, TLSTimeout: handshakeTimeout.Seconds(),
	}
	so.LameDuckGracePeriod, so.LameDuckDuration = farewellPause, farewellPause+farewell
	for _, peer := range c.Peers {
		so.Routes = append(so.Routes, &url.URL{
			Scheme: "nats", User: url.UserPassword(clusterUser, c.Password), Host: peer,
		})
	}
	return nil
}

// AwaitQuorum returns once more than half of the nodes know each other and
// have a leader; a new cluster needs all of them, because nodes that have
// nothing yet cannot tell whether the one that is away has something. A single
// server is there at once. It waits until ctx ends, and logs what for.
func (s *Server) AwaitQuorum(ctx context.Context) error {
	if s.cluster == nil {
		return nil
	}
	poll := time.NewTicker(quorumPoll)
	defer poll.Stop()
	remind := time.NewTimer(quorumPatience)
	defer remind.Stop()
	for waited := false; ; {
		if leader := s.leader(); leader != "" {
			s.quorumFound(leader, waited)
			return nil
		}
		select {
		case <-poll.C:
		case <-remind.C:
			waited = true
			s.log.Warn("waiting for a quorum: more than half of the nodes, or all of them if the cluster is new", s.presence()...)
			remind.Reset(quorumRemind)
		case <-ctx.Done():
			return fmt.Errorf("embedded bus: wait for a quorum: %w", ctx.Err())
		}
	}
}

func (s *Server) quorumFound(leader string, waited bool) {
	if waited {
		s.log.Info("there is a quorum", append(s.presence(), "leader", leader)...)
	}
}

// presence is for the log.
func (s *Server) presence() []any {
	here := []string{s.Name()}
	if routes, err := s.nats.Routez(nil); err == nil {
		for _, route := range routes.Routes {
			here = append(here, route.RemoteName)
		}
	}
	slices.Sort(here)
	here = slices.Compact(here)
	return []any{"nodes", len(here), "of", s.cluster.Size(), "here", here, "peers", s.cluster.Peers}
}

// leader names the node that decides where streams live; it is empty while
// there is none.
func (s *Server) leader() string {
	info, err := s.nats.Jsz(nil)
	if err != nil || info.Meta == nil {
		return ""
	}
	return info.Meta.Leader
}
