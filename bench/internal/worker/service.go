package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"time"

	"golang.org/x/sync/errgroup"

	"fairlead.dev/bench/internal/systems"
)

const (
	// patience bounds every request to a worker.
	patience = 6 * time.Minute
	// dialsMost and followsMost are how many connections and listeners are
	// set up at once, keepsMost how many connections register at once.
	dialsMost   = 64
	followsMost = 128
	keepsMost   = 256
)

// A Job says which system a worker drives, and where it is.
type Job struct {
	System string
	Place  systems.Place
	Terms  systems.Terms
}

// None is for requests and answers that say nothing.
type None struct{}

// A Service answers the requests of [Worker]. Its exported methods are
// net/rpc's. Who asks sets connections and listeners up one request after the
// other.
type Service struct {
	job    Job
	system systems.System
	board  *board
	answer *answerer

	conns     []systems.Conn
	listeners []systems.Listener
}

// Serve does what it is told over rw until that is closed.
func Serve(rw io.ReadWriteCloser, system systems.System, job Job) error {
	answer, err := newAnswerer()
	if err != nil {
		return err
	}
	defer answer.close()
	server := rpc.NewServer()
	service := &Service{job: job, system: system, board: newBoard(), answer: answer}
	if err := server.RegisterName("Worker", service); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	server.ServeConn(rw)
	return nil
}

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// Dial opens connections.
func (s *Service) Dial(count int, _ *None) error {
	ctx, cancel := bounded()
	defer cancel()
	conns := make([]systems.Conn, count)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(dialsMost)
	for i := range conns {
		group.Go(func() (err error) {
			conns[i], err = s.system.Dial(ctx, s.job.Place, s.job.Terms)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("connect to %s: %w", s.system.Name(), err)
	}
	s.conns = append(s.conns, conns...)
	return nil
}

// FollowArgs say what is listened to. Listeners are spread over the
// connections.
type FollowArgs struct {
	Service   string
	Listeners int
}

// Follow starts listeners and returns when all tables are complete.
func (s *Service) Follow(args FollowArgs, _ *None) error {
	ctx, cancel := bounded()
	defer cancel()
	s.board.grow(args.Listeners)
	s.listeners = make([]systems.Listener, args.Listeners)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(followsMost)
	for i := range s.listeners {
		group.Go(func() (err error) {
			s.listeners[i], err = s.conns[i%len(s.conns)].Follow(ctx, args.Service, s.board.hearer(i))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("follow on %s: %w", s.system.Name(), err)
	}
	return nil
}

// Keep registers instances, spread over the connections, and keeps them.
// Those without a port get the worker's own.
func (s *Service) Keep(all []systems.Instance, _ *None) error {
	ctx, cancel := bounded()
	defer cancel()
	shares := make([][]systems.Instance, len(s.conns))
	for i, in := range all {
		in.Port = s.answer.port
		shares[i%len(shares)] = append(shares[i%len(shares)], in)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(keepsMost)
	for i, share := range shares {
		group.Go(func() error { return s.conns[i].Keep(ctx, share) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("register with %s: %w", s.system.Name(), err)
	}
	return nil
}

// Expect replaces the states that listeners are to reach.
func (s *Service) Expect(all map[systems.Key]systems.State, _ *None) error {
	s.board.expect(all)
	return nil
}

var errNotExpected = errors.New("nobody expects that")
