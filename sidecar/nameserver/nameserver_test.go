package nameserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"fairlead.dev/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fixed resolver knows one table.
type fixed struct{ table *registry.Table }

func (f fixed) Resolve(_ context.Context, name string) (*registry.Service, error) {
	if name == "early" {
		return nil, registry.ErrNeverSeen
	}
	if s := f.table.Service(name); s.Len() > 0 {
		return s, nil
	}
	return nil, registry.ErrNoSuchService
}

func at(service, id, host string, change func(*registry.Instance)) registry.Instance {
	in := registry.Instance{Service: service, ID: id, Status: registry.Passing, Enabled: true}
	in.Host, in.Port, in.Weight = host, 5000, 100
	change(&in)
	return in
}

func plain(*registry.Instance) {}

func known() fixed {
	t := registry.NewTable("local", "e")
	for _, in := range []registry.Instance{
		at("identity", "a", "10.0.0.1", plain), at("identity", "b", "10.0.0.2", plain), at("identity", "six", "fd00::1", plain),
		at("identity", "off", "10.0.0.9", func(in *registry.Instance) { in.Enabled = false }),
		at("identity", "bad", "10.0.0.8", func(in *registry.Instance) { in.Status = registry.Critical }),
		at("off", "a", "10.0.0.7", func(in *registry.Instance) { in.Enabled = false }),
		at("named", "a", "host001.example", plain),
	} {
		t = t.WithInstance(in)
	}
	for i := range 60 {
		t = t.WithInstance(at("many", fmt.Sprintf("i%d", i), fmt.Sprintf("10.0.1.%d", i), plain))
	}
	return fixed{t}
}

func newServer(t *testing.T) (s *Server, address string) {
	t.Helper()
	// TCP first: its ports are scarce, because connections have them too.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err = New(Options{
		Realm: "local", Resolver: known(), Packets: packets, Listener: listener, Logger: slog.New(slog.DiscardHandler),
		Lookup: func(_ context.Context, _, host string) ([]netip.Addr, error) {
			if host != "host001.example" {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.6")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s, packets.LocalAddr().String()
}

func ask(t *testing.T, network, address, name string, kind uint16) *dns.Msg {
	t.Helper()
	client := dns.Client{Net: network, Timeout: 10 * time.Second}
	m, _, err := client.Exchange(new(dns.Msg).SetQuestion(name, kind), address)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// data are the records without name, TTL, class and type.
func data(records []dns.RR) (all []string) {
	for _, r := range records {
		if r.Header().Ttl != 0 {
			all = append(all, "with a TTL")
		}
		all = append(all, strings.TrimPrefix(r.String(), r.Header().String()))
	}
	slices.Sort(all)
	return all
}

func TestAnswers(t *testing.T) {
	_, address := newServer(t)
	both := []string{"10.0.0.1", "10.0.0.2"}
	tests := []struct {
		name  string
		kind  uint16
		rcode int
		want  []string
	}{
		{"identity.service.", dns.TypeA, dns.RcodeSuccess, both},
		{"IdentitY.Service.", dns.TypeA, dns.RcodeSuccess, both},
		{"identity.service.internal.", dns.TypeA, dns.RcodeSuccess, both},
		{"identity.local.service.", dns.TypeA, dns.RcodeSuccess, both},
		{"identity.service.", dns.TypeAAAA, dns.RcodeSuccess, []string{"fd00::1"}},
		{"identity.service.", dns.TypeSRV, dns.RcodeSuccess, []string{
			"1 100 5000 a.instance.identity.service.", "1 100 5000 b.instance.identity.service.", "1 100 5000 six.instance.identity.service."}},
		{"a.instance.identity.service.", dns.TypeA, dns.RcodeSuccess, []string{"10.0.0.1"}},
		{"a.instance.identity.service.", dns.TypeSRV, dns.RcodeSuccess, nil},
		{"named.service.", dns.TypeA, dns.RcodeSuccess, []string{"10.0.0.6"}},
		{"off.service.", dns.TypeA, dns.RcodeSuccess, nil},
		{"identity.service.", dns.TypeMX, dns.RcodeSuccess, nil},
		{"instance.identity.service.", dns.TypeA, dns.RcodeSuccess, nil},
		{"service.", dns.TypeA, dns.RcodeSuccess, nil},
		{"service.", dns.TypeSOA, dns.RcodeSuccess, []string{"localhost. hostmaster.localhost. 1 1 1 1 0"}},
		{"off.instance.identity.service.", dns.TypeA, dns.RcodeNameError, nil},
		{"nobody.service.", dns.TypeA, dns.RcodeNameError, nil},
		{"identity.other.service.", dns.TypeA, dns.RcodeNameError, nil},
		{"_x.service.", dns.TypeA, dns.RcodeNameError, nil},
		{"early.service.", dns.TypeA, dns.RcodeServerFailure, nil},
		{"example.com.", dns.TypeA, dns.RcodeRefused, nil},
		{"myservice.", dns.TypeA, dns.RcodeRefused, nil},
	}
	for _, tt := range tests {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(fmt.Sprintf("%s %s by %s", dns.TypeToString[tt.kind], tt.name, network), func(t *testing.T) {
				m := ask(t, network, address, tt.name, tt.kind)
				if got := data(m.Answer); m.Rcode != tt.rcode || !slices.Equal(got, tt.want) {
					t.Errorf("got %s %q, want %s %q", dns.RcodeToString[m.Rcode], got, dns.RcodeToString[tt.rcode], tt.want)
				}
				refused := m.Rcode == dns.RcodeRefused || m.Rcode == dns.RcodeServerFailure
				if negative := len(m.Answer) == 0 && !refused; negative != (len(m.Ns) == 1) || m.Authoritative == (m.Rcode == dns.RcodeRefused) {
					t.Errorf("authority is %v, authoritative %t", m.Ns, m.Authoritative)
				}
			})
		}
	}
}

func TestSRVBringsTheAddresses(t *testing.T) {
	_, address := newServer(t)
	if got := data(ask(t, "tcp", address, "identity.service.", dns.TypeSRV).Extra); !slices.Equal(got, []string{"10.0.0.1", "10.0.0.2", "fd00::1"}) {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsTooLargeIsCutAndWholeOverTCP(t *testing.T) {
	_, address := newServer(t)
	if m := ask(t, "udp", address, "many.service.", dns.TypeA); !m.Truncated || len(m.Answer) == 0 || len(m.Answer) > 30 {
		t.Errorf("by UDP: truncated %t, %d answers", m.Truncated, len(m.Answer))
	}
	if m := ask(t, "tcp", address, "many.service.", dns.TypeA); m.Truncated || len(m.Answer) != 60 {
		t.Errorf("by TCP: truncated %t, %d answers", m.Truncated, len(m.Answer))
	}
	client := dns.Client{Timeout: 10 * time.Second, UDPSize: 4096}
	m, _, err := client.Exchange(new(dns.Msg).SetQuestion("many.service.", dns.TypeA).SetEdns0(4096, false), address)
	if err != nil || m.Truncated || m.IsEdns0() == nil || len(m.Answer) != 60 {
		t.Errorf("with a larger buffer: %v, %v", err, m)
	}
}

func TestTheOrderIsRandom(t *testing.T) {
	_, address := newServer(t)
	first := map[string]bool{}
	for range 100 {
		first[ask(t, "udp", address, "identity.service.", dns.TypeA).Answer[0].String()] = true
	}
	if len(first) != 2 {
		t.Errorf("first come %v", first)
	}
}

func TestOtherOpcodesAndClassesAreNotServed(t *testing.T) {
	s, _ := newServer(t)
	chaos := new(dns.Msg).SetQuestion("identity.service.", dns.TypeA)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	update := new(dns.Msg).SetUpdate("service.")
	for want, query := range map[int]*dns.Msg{dns.RcodeRefused: chaos, dns.RcodeNotImplemented: update} {
		if m := s.answer(t.Context(), query); m.Rcode != want {
			t.Errorf("got %s, want %s", dns.RcodeToString[m.Rcode], dns.RcodeToString[want])
		}
	}
}

// A name that is taken for a service's or an instance's is made of labels that
// could be one's, and is in one of our zones.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"identity.service.", "a.instance.identity.service.internal.", "service.", ".", `a\.b.service.`, "identity.local.service."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := parse(name, "local")
		if got.kind == service || got.kind == instance {
			if registry.ValidateName("name", got.service) != nil || got.kind == instance && registry.ValidateName("name", got.instance) != nil {
				t.Errorf("%q is taken for %+v", name, got)
			}
		}
		if (got.kind == foreign) == slices.ContainsFunc(zones, func(z string) bool {
			return strings.ToLower(name) == z || strings.HasSuffix(strings.ToLower(name), "."+z)
		}) {
			t.Errorf("%q is taken for %+v", name, got)
		}
	})
}

// A registration must not make programs send to where clouds keep their keys.
func TestAddressesThatNothingListensOnAreLeftOut(t *testing.T) {
	table := registry.NewTable("local", "e").
		WithInstance(at("bad", "direct", "169.254.169.254", plain)).
		WithInstance(at("bad", "byname", "meta.example", plain)).
		WithInstance(at("bad", "good", "10.0.0.5", plain))
	s := &Server{log: slog.New(slog.DiscardHandler), opts: Options{Realm: "local", Resolver: fixed{table}, Lookup: func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("::ffff:169.254.169.254"), netip.MustParseAddr("fe80::1")}, nil
	}}}
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV} {
		m := s.answer(t.Context(), new(dns.Msg).SetQuestion("bad.service.", kind))
		for _, record := range append(m.Answer, m.Extra...) {
			if text := record.String(); strings.Contains(text, "169.254") || strings.Contains(text, "fe80") {
				t.Errorf("answered %s", text)
			}
		}
		if kind == dns.TypeA && len(m.Answer) != 1 {
			t.Errorf("answered %v", m.Answer)
		}
	}
}

// Each question costs a goroutine, so hosts that nobody can look up must not
// keep it for long, however many there are.
func TestAnAnswerTakesNoLongerThanAnybodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := registry.NewTable("local", "e")
		for i := range 50 {
			table = table.WithInstance(at("slow", fmt.Sprintf("i%d", i), "dead.example", plain))
		}
		s := &Server{log: slog.New(slog.DiscardHandler), opts: Options{Realm: "local", Resolver: fixed{table}, Lookup: func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}}
		began := time.Now()
		s.answer(t.Context(), new(dns.Msg).SetQuestion("slow.service.", dns.TypeSRV))
		if took := time.Since(began); took > answerTimeout {
			t.Errorf("it took %v", took)
		}
	})
}
