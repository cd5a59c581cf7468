package follow

import (
	"context"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// twinned tests with the registry's own table as the twin.
func twinned(t *testing.T, test func(*fixture)) {
	var reg interface{ Table(string) *registry.Table }
	twin := func(context.Context) *registry.Table { return reg.Table("local") }
	inBubble(t, Options{WholeRealm: true, Twin: twin}, func(f *fixture) {
		reg = f.reg
		test(f)
	})
}

// shares tells whether a service is the twin's own.
func (f *fixture) shares(service string) bool {
	now, _ := f.table.Table()
	return now.Service(service) == f.reg.Table("local").Service(service)
}

func TestWhatATwinHoldsIsHeldOnce(t *testing.T) {
	twinned(t, func(f *fixture) {
		f.register("identity", "a", "b")
		f.start()
		if f.shares("identity") {
			t.Error("a snapshot is the twin's own from the start")
		}
		pass(twinAfter)
		if !f.shares("identity") {
			t.Error("a snapshot is not shared")
		}
		f.register("billing", "c")
		f.disable("identity", "a")
		f.equal()
		pass(twinAfter)
		if !f.shares("identity") || !f.shares("billing") {
			t.Error("changes are not shared")
		}
		f.weigh("identity", "b", 7)
		f.equal()
	})
}

func TestReadersLetGoOfWhatIsHeldTwice(t *testing.T) {
	twinned(t, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		_, changed := f.table.Table()
		pass(twinAfter)
		select {
		case <-changed:
		default:
			t.Error("not woken")
		}
		_, changed = f.table.Table()
		pass(10 * time.Second)
		select {
		case <-changed:
			t.Error("woken again, with nothing new")
		default:
		}
	})
}

// A node that lags must not take a table back.
func TestATwinThatLagsIsNotShared(t *testing.T) {
	var lagging *registry.Table
	twin := func(context.Context) *registry.Table { return lagging }
	inBubble(t, Options{WholeRealm: true, Twin: twin}, func(f *fixture) {
		f.register("identity", "a")
		lagging = f.reg.Table("local")
		f.disable("identity", "a")
		f.start()
		pass(twinAfter)
		f.equal()
		lagging = nil
		f.register("identity", "b")
		pass(2 * twinAfter)
		f.equal()
	})
}
