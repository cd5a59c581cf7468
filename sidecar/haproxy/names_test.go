package haproxy

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// book is a resolver of names that tests change.
type book struct {
	mu    sync.Mutex
	addrs []netip.Addr
}

func (b *book) set(addrs ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addrs = nil
	for _, a := range addrs {
		b.addrs = append(b.addrs, netip.MustParseAddr(a))
	}
}

func (b *book) lookup(context.Context, string, string) ([]netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.addrs) == 0 {
		return nil, errors.New("no such host")
	}
	return append([]netip.Addr(nil), b.addrs...), nil
}

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b book
		n := newNames(b.lookup)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go n.run(ctx)
		is := func(want string) {
			t.Helper()
			synctest.Wait()
			addr, ok := n.find("host001")
			if got := addr.String(); ok != (want != "") || ok && got != want {
				t.Errorf("the address is %s, %v, want %s", got, ok, want)
			}
		}
		is("")
		is("")
		b.set("10.0.0.9", "10.0.0.7")
		time.Sleep(resolveFailed)
		is("10.0.0.7")
		b.set("10.0.0.1", "10.0.0.7")
		time.Sleep(resolveEvery)
		is("10.0.0.7")
		b.set()
		time.Sleep(resolveEvery)
		is("10.0.0.7")
		b.set("::ffff:10.0.0.2")
		time.Sleep(resolveEvery)
		is("10.0.0.2")
		n.keep(map[string]bool{})
		if len(n.addrs) > 0 {
			t.Errorf("what nobody uses is kept: %v", n.addrs)
		}
	})
}

func TestInstancesWithANameAreResolved(t *testing.T) {
	var b book
	opts := options(t)
	opts.resolve = b.lookup
	l := run(t, opts)
	in := serving(t, "identity", "a")
	in.Host = "host001"
	l.set(in)
	if got := l.get("identity"); !strings.Contains(got, "none-enabled") || len(l.Status().Unfit) != 1 {
		t.Errorf("%s answers, status %+v", got, l.Status())
	}
	b.set("127.0.0.1")
	within(t, "the address", patience, func() bool { return l.get("identity") == "a" })
	if s := l.Status(); len(s.Unfit) > 0 {
		t.Errorf("status is %+v", s)
	}
}
