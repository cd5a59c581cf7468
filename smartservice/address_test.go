package smartservice

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAdvertised(t *testing.T) {
	machine := []netip.Addr{
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("fe80::1"),
		netip.MustParseAddr("169.254.0.9"), netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("10.0.0.7"),
	}
	tests := []struct {
		name, asked, listen string
		machine             []netip.Addr
		want                endpoint
	}{
		{name: "the address listened on", listen: "127.0.0.1:5000", want: endpoint{"127.0.0.1", 5000}},
		{name: "IPv6", listen: "[2001:db8::1]:5000", want: endpoint{"2001:db8::1", 5000}},
		{name: "all addresses", listen: "0.0.0.0:5000", machine: machine, want: endpoint{"10.0.0.7", 5000}},
		{name: "all addresses, IPv6", listen: "[::]:5000", machine: machine, want: endpoint{"10.0.0.7", 5000}},
		{name: "only IPv6 to choose", listen: "[::]:5000", machine: machine[:5], want: endpoint{"2001:db8::7", 5000}},
		{name: "nothing to choose", listen: "0.0.0.0:5000", machine: machine[:4], want: endpoint{"127.0.0.1", 5000}},
		{name: "a host that was asked for", asked: "host001.example.org", listen: "0.0.0.0:5000", want: endpoint{"host001.example.org", 5000}},
		{name: "host and port", asked: "host001:80", listen: "0.0.0.0:5000", want: endpoint{"host001", 80}},
		{name: "bare IPv6", asked: "2001:db8::9", listen: "0.0.0.0:5000", want: endpoint{"2001:db8::9", 5000}},
		{name: "IPv6 in brackets", asked: "[2001:db8::9]", listen: "0.0.0.0:5000", want: endpoint{"2001:db8::9", 5000}},
		{name: "IPv6 and port", asked: "[2001:db8::9]:81", listen: "0.0.0.0:5000", want: endpoint{"2001:db8::9", 81}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := advertised(tt.asked, netip.MustParseAddrPort(tt.listen), tt.machine)
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
	if _, err := advertised("host:70000", netip.MustParseAddrPort("127.0.0.1:1"), nil); err == nil || !strings.HasPrefix(err.Error(), "advertise: ") {
		t.Errorf("a port of 70000 gives %v", err)
	}
}
