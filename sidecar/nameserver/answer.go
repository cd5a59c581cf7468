package nameserver

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"fairlead.dev/registry"
)

// lookupTimeout bounds the lookup of instances that are registered by a name.
const lookupTimeout = time.Second

// answerTimeout bounds all lookups of one answer, which come one after another.
// Programs ask again after 5 s; each question must have ended by then.
const answerTimeout = 2 * time.Second

// answer is the whole of a query's answer, before it is cut to size.
func (s *Server) answer(ctx context.Context, query *dns.Msg) *dns.Msg {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	m := new(dns.Msg)
	m.SetReply(query)
	m.Authoritative = true
	if len(query.Question) != 1 || query.Opcode != dns.OpcodeQuery {
		m.Rcode = dns.RcodeNotImplemented
		return m
	}
	q := query.Question[0]
	t := parse(q.Name, s.opts.Realm)
	switch {
	case t.kind == foreign || q.Qclass != dns.ClassINET:
		m.Rcode, m.Authoritative = dns.RcodeRefused, false
		return m
	case t.kind == apex && q.Qtype == dns.TypeSOA:
		m.Answer = []dns.RR{soa(t.zone)}
		return m
	case t.kind == absent:
		m.Rcode = dns.RcodeNameError
	case t.kind == service, t.kind == instance, t.kind == between:
		s.fill(ctx, m, q, t)
	}
	if len(m.Answer) == 0 && m.Rcode != dns.RcodeServerFailure {
		m.Ns = []dns.RR{soa(t.zone)}
	}
	return m
}

// fill answers for a name that may exist.
func (s *Server) fill(ctx context.Context, m *dns.Msg, q dns.Question, t target) {
	found, err := s.usable(ctx, t)
	switch {
	case errors.Is(err, registry.ErrNoneEnabled):
		return
	case errors.Is(err, registry.ErrNoSuchService):
		m.Rcode = dns.RcodeNameError
		return
	case err != nil:
		s.log.Warn("cannot answer", "name", q.Name, "error", err)
		m.Rcode = dns.RcodeServerFailure
		return
	}
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	for _, in := range found {
		switch q.Qtype {
		case dns.TypeA, dns.TypeAAAA:
			m.Answer = append(m.Answer, s.addresses(ctx, q.Name, in, q.Qtype)...)
		case dns.TypeSRV:
			s.service(ctx, m, q.Name, t, in)
		}
	}
	m.Answer = dns.Dedup(m.Answer, nil) // several instances may share a host
}

// usable returns the instances that a name stands for.
func (s *Server) usable(ctx context.Context, t target) ([]registry.Instance, error) {
	known, err := s.opts.Resolver.Resolve(ctx, t.service)
	if err != nil || t.kind == between {
		return nil, err
	}
	candidates, err := known.Candidates()
	if err != nil || t.kind == service {
		return append([]registry.Instance(nil), candidates...), err
	}
	for _, in := range candidates {
		if in.ID == t.instance {
			return []registry.Instance{in}, nil
		}
	}
	return nil, registry.ErrNoSuchService // as far as DNS tells: no such name
}

// service adds where one instance is, and its address for who would ask next.
func (s *Server) service(ctx context.Context, m *dns.Msg, name string, t target, in registry.Instance) {
	if t.kind != service {
		return
	}
	host := nameOf(in, t.zone)
	m.Answer = append(m.Answer, &dns.SRV{
		Hdr: header(name, dns.TypeSRV), Priority: 1, Weight: uint16(min(in.Weight, 1<<16-1)), Port: uint16(in.Port), Target: host,
	})
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		m.Extra = append(m.Extra, s.addresses(ctx, host, in, kind)...)
	}
}

// addresses are an instance's of one family. One that is registered by a name
// is looked up, as whoever dials it would do.
func (s *Server) addresses(ctx context.Context, name string, in registry.Instance, kind uint16) (records []dns.RR) {
	var found []netip.Addr
	if addr, err := netip.ParseAddr(in.Host); err == nil {
		found = []netip.Addr{addr}
	} else {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		if found, err = s.opts.Lookup(ctx, "ip", in.Host); err != nil {
			s.log.Info("cannot look an instance's host up", "instance", in.Service+"/"+in.ID, "host", in.Host, "error", err)
		}
	}
	for _, addr := range found {
		// As dialers of ours check it: programs that resolve have no such check.
		if addr = addr.Unmap(); addr.Is4() == (kind == dns.TypeA) && registry.AllowedAddress(addr) == nil {
			records = append(records, record(name, addr))
		}
	}
	return records
}

func record(name string, addr netip.Addr) dns.RR {
	if addr.Is4() {
		return &dns.A{Hdr: header(name, dns.TypeA), A: addr.AsSlice()}
	}
	return &dns.AAAA{Hdr: header(name, dns.TypeAAAA), AAAA: addr.AsSlice()}
}

// header is of records that nobody is to keep.
func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: 0}
}

// soa says that refusals are not to be kept either (RFC 2308 §5).
func soa(zone string) dns.RR {
	return &dns.SOA{Hdr: header(zone, dns.TypeSOA), Ns: "localhost.", Mbox: "hostmaster.localhost.", Serial: 1, Refresh: 1, Retry: 1, Expire: 1, Minttl: 0}
}
