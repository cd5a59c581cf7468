// Package systems describes what the benchmarks compare: registries that many
// processes write to and listen to. Each system is one package below; all are
// driven through the same few verbs, each in the way that is that system's own.
//
//	place := systems.Place{Dir: dir, Port: 21000}
//	… start sys.Server(place) as a process …
//	err := sys.Prepare(ctx, place)
//	conn, err := sys.Dial(ctx, place, systems.Terms{})
//	err = conn.Keep(ctx, []systems.Instance{{Service: "identity", ID: "host001"}})
//	listener, err := conn.Follow(ctx, "identity", nil)
package systems

import (
	"context"
	"net"
	"strconv"
	"time"
)

// Realm is where all instances of the benchmarks live.
const Realm = "local"

// A Key names an instance.
type Key struct{ Service, ID string }

// An Instance is what registrations are made of. Port is where it answers.
type Instance struct {
	Service, ID string
	Port        int
}

// Key returns the instance's name.
func (i Instance) Key() Key { return Key{i.Service, i.ID} }

// A State is what a table holds of an instance.
type State uint8

// Absent instances are not in the table, Disabled ones are, and get no
// requests.
const (
	Absent State = iota
	Disabled
	Enabled
)

// StateOf returns the state of a listed instance.
func StateOf(enabled bool) State {
	if enabled {
		return Enabled
	}
	return Disabled
}

// A Place is where a server keeps its data and listens: on loopback, on a port
// that survives its restart.
type Place struct {
	Dir  string
	Port int
}

// Address returns "127.0.0.1:port".
func (p Place) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)) }

// Terms of the registrations that a connection keeps. Zero fields have the
// system's own defaults.
type Terms struct {
	// Lease is how long a registration outlives its holder, where a system
	// lets the client choose.
	Lease time.Duration
}

// A Command is how a server process is started. Path is empty for servers that
// this program runs in a process of its own, by executing itself.
type Command struct {
	Path string
	Args []string
}

// A System is one registry under test.
type System interface {
	Name() string
	// Peer tells whether targets are compared with it. Others are measured
	// for information.
	Peer() bool
	// Server returns how its server is started.
	Server(Place) Command
	// Prepare makes what has to exist before the first registration, and
	// fails as long as the server does not answer.
	Prepare(context.Context, Place) error
	// Version asks the running server, or the module that it was built from.
	Version(context.Context, Place) (string, error)
	// Dial opens one connection.
	Dial(context.Context, Place, Terms) (Conn, error)
}

// A Conn is one connection to a server, as one program has it. Its methods may
// be called concurrently.
type Conn interface {
	// Register writes one registration durably. Nobody keeps it afterwards.
	Register(context.Context, Instance) error
	// Keep registers instances and keeps them registered until the connection
	// is closed or the process ends.
	Keep(context.Context, []Instance) error
	// Flip durably enables or disables an instance that is registered.
	Flip(ctx context.Context, in Instance, enabled bool) error
	// Follow returns once a table of its own is complete: of one service, or
	// of the realm if service is empty. heard may be nil.
	Follow(ctx context.Context, service string, heard Heard) (Listener, error)
	Close()
}

// Heard is called after a listener has applied a change to its table.
type Heard func(Key, State)

// A Listener has a table and subscriptions of its own. Its methods may be
// called concurrently.
type Listener interface {
	State(Key) State
	// Len is the number of instances in its table.
	Len() int
	Close()
}
