package nameserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"fairlead.dev/registry"
)

// mostUDP is what a datagram may have, so that it passes in one piece
// (dnsflagday.net/2020).
const mostUDP = 1232

// stopWithin bounds the end of the queries that are being answered.
const stopWithin = 2 * time.Second

// Options of a server. All but Lookup and Logger are required.
type Options struct {
	Realm    string
	Resolver registry.Resolver
	// Packets and Listener are where it serves; it closes them.
	Packets  net.PacketConn
	Listener net.Listener
	// Lookup finds the addresses of instances that are registered by a name;
	// the system's resolver by default.
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	Logger *slog.Logger // nil: slog.Default()
}

// A Server answers queries over UDP and TCP.
type Server struct {
	opts Options
	log  *slog.Logger
}

// New returns a server that answers once it runs.
func New(opts Options) (*Server, error) {
	if opts.Resolver == nil || opts.Packets == nil || opts.Listener == nil {
		return nil, errors.New("nameserver: resolver, packets and listener must be given")
	}
	if opts.Lookup == nil {
		opts.Lookup = net.DefaultResolver.LookupNetIP
	}
	return &Server{opts: opts, log: cmp.Or(opts.Logger, slog.Default()).With("component", "nameserver")}, nil
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, server := range []*dns.Server{{PacketConn: s.opts.Packets}, {Listener: s.opts.Listener}} {
		server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) { s.respond(ctx, w, query) })
		group.Go(func() error { return serve(ctx, server) })
	}
	return group.Wait()
}

func serve(ctx context.Context, server *dns.Server) error {
	started, ended := make(chan struct{}), make(chan error, 1)
	server.NotifyStartedFunc = func() { close(started) }
	go func() { ended <- server.ActivateAndServe() }()
	select {
	case <-started:
	case err := <-ended:
		return fmt.Errorf("serve DNS: %w", err)
	}
	select {
	case err := <-ended:
		return fmt.Errorf("serve DNS: %w", err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	err := server.ShutdownContext(bounded)
	<-ended
	return err
}

func (s *Server) respond(ctx context.Context, w dns.ResponseWriter, query *dns.Msg) {
	m := s.answer(ctx, query)
	m.Compress = true
	size := dns.MaxMsgSize
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size = dns.MinMsgSize
		if opt := query.IsEdns0(); opt != nil {
			size = min(max(size, int(opt.UDPSize())), mostUDP)
		}
	}
	if query.IsEdns0() != nil {
		m.SetEdns0(mostUDP, false)
	}
	m.Truncate(size)
	if err := w.WriteMsg(m); err != nil {
		s.log.Debug("answer not sent", "error", err)
	}
}
