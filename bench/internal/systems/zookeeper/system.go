// Package zookeeper drives ZooKeeper: an ephemeral node an instance, a watch
// on the children of each service and one on each instance's data.
package zookeeper

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"fairlead.dev/bench/internal/systems"
)

const (
	root = "/hosts"
	// Where Debian's package puts the server.
	classPath = "/usr/share/java/zookeeper.jar"
	mainClass = "org.apache.zookeeper.server.quorum.QuorumPeerMain"

	defaultSession = 10 * time.Second
)

// A System is ZooKeeper.
type System struct{}

// Name implements [systems.System].
func (System) Name() string { return "zookeeper" }

// Peer implements [systems.System].
func (System) Peer() bool { return true }

// Server implements [systems.System]. Its configuration is written by
// [Configure].
func (System) Server(p systems.Place) systems.Command {
	return systems.Command{Path: "java", Args: []string{"-cp", classPath, mainClass, configPath(p)}}
}

func configPath(p systems.Place) string { return filepath.Join(p.Dir, "zoo.cfg") }

// Configure writes the server's configuration: its defaults (every write is
// synced), but for where it listens and the connections of one address, of
// which there are 60 by default.
func (System) Configure(p systems.Place) error {
	if _, err := os.Stat(classPath); err != nil {
		return fmt.Errorf("zookeeper: install Debian's package zookeeper: %w", err)
	}
	text := fmt.Sprintf("tickTime=2000\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n",
		filepath.Join(p.Dir, "data"), p.Port)
	return os.WriteFile(configPath(p), []byte(text), 0o600)
}

// Prepare implements [systems.System]: it makes the node above all.
func (s System) Prepare(ctx context.Context, p systems.Place) error {
	c, err := dial(ctx, p, defaultSession)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.ensure(ctx, root)
}

// Version implements [systems.System]: it asks the server.
func (System) Version(ctx context.Context, p systems.Place) (string, error) {
	var dialer net.Dialer
	asked, err := dialer.DialContext(ctx, "tcp", p.Address())
	if err != nil {
		return "", err
	}
	defer func() { _ = asked.Close() }()
	if _, err := asked.Write([]byte("srvr")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(asked).ReadString('\n')
	if err != nil {
		return "", err
	}
	_, version, found := strings.Cut(line, "version: ")
	if !found {
		return "", errors.New("zookeeper: no version in answer")
	}
	version, _, _ = strings.Cut(version, "-")
	return strings.TrimSpace(version), nil
}

// Dial implements [systems.System]. A lease is a session here.
func (System) Dial(ctx context.Context, p systems.Place, terms systems.Terms) (systems.Conn, error) {
	session := terms.Lease
	if session == 0 {
		session = defaultSession
	}
	return dial(ctx, p, session)
}

func dial(ctx context.Context, p systems.Place, session time.Duration) (*conn, error) {
	c := &conn{listeners: map[*listener]struct{}{}}
	var err error
	c.zk, _, err = zk.Connect([]string{p.Address()}, session, zk.WithLogger(silent{}), zk.WithEventCallback(c.dispatch))
	if err != nil {
		return nil, err
	}
	if err := await(ctx, func() error { return c.connected(ctx) }); err != nil {
		go c.zk.Close() // waits for a server that may never come
		return nil, err
	}
	return c, nil
}

// connected waits for the session. The client goes on trying when it says that
// there is no server: many that connect at once are more than it listens for.
func (c *conn) connected(ctx context.Context) error {
	for {
		_, _, err := c.zk.Exists("/")
		if ctx.Err() != nil || !errors.Is(err, zk.ErrNoServer) && !errors.Is(err, zk.ErrConnectionClosed) {
			return err
		}
	}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// await gives calls of a client that knows no contexts an end.
func await(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
