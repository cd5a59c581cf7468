package follow

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"fairlead.dev/registry"
)

func TestItFollowsChanges(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a", "b")
		f.start()
		f.equal()
		f.register("billing", "c")
		f.disable("identity", "a")
		f.equal()
		if n := f.source.count(); n != 1 {
			t.Errorf("%d snapshots were asked for, expected the first only", n)
		}
		now, _ := f.table.Table()
		if want := f.reg.Table("local").Revision; now.Revision != want || now.Source != registry.Live {
			t.Errorf("table is %s at %s, expected %s", now.Source, now.Revision, want)
		}
	})
}

func TestAWatcherIsWokenByContentOnly(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		_, changed := f.table.Table()
		pass(2 * time.Second)
		f.reg.PublishDigest()
		synctest.Wait()
		select {
		case <-changed:
			t.Error("woken by a digest")
		default:
		}
		if age := f.table.Age(); age != 0 {
			t.Errorf("the digest left an age of %s", age)
		}
		f.disable("identity", "a")
		<-changed
		f.equal()
	})
}

func TestASlowSnapshotMissesNothing(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a", "b", "gone")
		open := f.source.close()
		f.table.Start()
		pass(time.Second) // the snapshot is taken, and on its way
		f.register("identity", "c")
		f.register("billing", "d")
		f.disable("identity", "a")
		synctest.Wait()
		open()
		f.equal()
		if n := f.source.count(); n != 1 {
			t.Errorf("%d snapshots were asked for, expected 1", n)
		}
	})
}

func TestChangesGoOnWhileASnapshotIsUnderWay(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		f.register("billing", "b")
		f.start()
		open := f.source.close()
		f.reg.DropNextChange()
		f.register("identity", "lost")
		f.register("identity", "after") // a gap: a snapshot is asked for
		synctest.Wait()
		f.disable("billing", "b")
		synctest.Wait()
		now, _ := f.table.Table()
		if in, _ := now.Service("billing").Instance("b"); in.Enabled {
			t.Error("a change of another service had to wait")
		}
		open()
		f.equal()
		if in, _ := now.Service("billing").Instance("b"); in.Enabled {
			t.Error("the snapshot took it back")
		}
	})
}

func TestAGapIsFilledAtOnce(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		f.reg.DropNextChange()
		f.register("identity", "b")
		f.differs()
		f.register("identity", "c")
		f.equal() // no time has passed
	})
}

func TestAGapInAServiceThatIsNotHeldIsFilled(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.start()
		f.reg.DropNextChange()
		f.register("identity", "a")
		f.register("identity", "b")
		f.equal()
	})
}

func TestALostLastChangeIsFoundByTheDigest(t *testing.T) {
	for _, opts := range []Options{{WholeRealm: true}, {Services: []string{"identity"}}} {
		inBubble(t, opts, func(f *fixture) {
			f.register("identity", "a")
			f.start()
			f.reg.DropNextChange()
			f.disable("identity", "a")
			f.reg.PublishDigest()
			f.differs()
			pass(time.Second + massSpread)
			f.equal()
		})
	}
}

func TestADigestThatIsOvertakenByItsChangeIsNoReasonToAsk(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		ahead := f.reg.Table("local").WithService("identity", 3, nil).At(registry.Revision{Epoch: f.reg.Table("local").Revision.Epoch, Sequence: 3})
		digest := ahead.Digest("")
		f.table.inbox.put(message{feed: f.table.own.feeds[""], update: registry.Update{Digest: &digest}})
		synctest.Wait()
		for _, id := range []string{"b", "c", "d"} {
			f.register("identity", id)
		}
		pass(10 * time.Second)
		if n := f.source.count(); n != 1 {
			t.Errorf("%d snapshots were asked for, expected 1", n)
		}
	})
}

func TestAnUnknownHashIsIgnored(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.start()
		digest := f.reg.Table("local").Digest("")
		digest.Hash = "999:abc"
		f.table.inbox.put(message{feed: f.table.own.feeds[""], update: registry.Update{Digest: &digest}})
		pass(5 * time.Second)
		if n := f.source.count(); n != 1 {
			t.Errorf("%d snapshots were asked for, expected 1", n)
		}
	})
}

func TestAnOutageEmptiesNothing(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a", "b")
		f.start()
		f.reg.GoAway()
		pass(time.Hour)
		if now, _ := f.table.Table(); now.Len() != 2 {
			t.Errorf("%d instances are left", now.Len())
		}
		if age := f.table.Age(); age < time.Hour {
			t.Errorf("age is %s after an hour without the registry", age)
		}
		f.reg.ComeBack()
		f.reg.DropNextChange()
		f.disable("identity", "a")
		pass(massSpread)
		f.equal()
	})
}

func TestWhatIsLostWhileASnapshotIsUnderWayIsAskedForAgain(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		_ = f.source.close()
		f.table.Start()
		pass(time.Second)
		f.source.mu.Lock()
		f.source.closed = nil // later snapshots come at once
		f.source.mu.Unlock()
		f.reg.DropNextChange()
		f.register("identity", "b")
		f.reg.ComeBack() // Lost: the first request will never be answered
		pass(massSpread)
		f.equal()
	})
}

func TestANewEpochKeepsWhatItLacksAsSuspectForALease(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a", "b")
		f.start()
		f.reg.Forget()
		f.reg.PublishDigest()
		pass(massSpread)
		if a, b := f.status("identity", "a"), f.status("identity", "b"); a != registry.Suspect || b != registry.Suspect {
			t.Fatalf("after a new epoch a is %q and b is %q", a, b)
		}
		f.register("identity", "a") // back: it is no ghost any more
		synctest.Wait()
		if a, b := f.status("identity", "a"), f.status("identity", "b"); a != registry.Passing || b != registry.Suspect {
			t.Errorf("after a came back, a is %q and b is %q", a, b)
		}
		asked := f.source.count()
		f.reg.PublishDigest() // speaks of the truth, without ghosts
		pass(2 * time.Second)
		if n := f.source.count(); n != asked {
			t.Error("ghosts made the digest differ")
		}
		pass(4 * time.Second)
		f.equal()
	})
}

func TestANewEpochInAChangeIsFollowed(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		f.reg.Forget()
		f.register("identity", "a", "b")
		pass(massSpread)
		f.equal()
		if now, _ := f.table.Table(); now.Revision.Epoch != f.reg.Table("local").Revision.Epoch {
			t.Errorf("epoch is %s", now.Revision.Epoch)
		}
	})
}

func TestAnEpochThatBeginsDuringASnapshotIsAskedForAgain(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		open := f.source.close()
		f.table.Start()
		pass(time.Second)
		f.reg.Forget()
		f.register("identity", "b")
		synctest.Wait()
		open()
		pass(7 * time.Second) // a, of the old epoch, is a ghost for a while
		f.equal()
	})
}

func TestALaggingNodesSnapshotIsNotBelieved(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		old := f.reg.Table("local")
		f.register("identity", "b")
		synctest.Wait()
		f.source.editing(func(s *registry.Snapshot) { *s = old.Snapshot(registry.Interest{}) })
		f.reg.ComeBack() // Lost: ask again
		pass(massSpread)
		if now, _ := f.table.Table(); now.Service("identity").Len() != 2 {
			t.Error("an older snapshot was believed")
		}
		f.source.editing(nil)
		pass(time.Second)
		f.equal()
	})
}

// The only copy of a registry is believed sooner than one of several, whose
// others may know better.
func TestARegistryThatHasGoneBackIsBelievedInTheEnd(t *testing.T) {
	for name, test := range map[string]struct {
		sole    bool
		digests int
	}{"the only copy": {true, 6}, "one of several": {false, 8}} {
		t.Run(name, func(t *testing.T) { goesBack(t, test.sole, test.digests) })
	}
}

func goesBack(t *testing.T, sole bool, digests int) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		older := f.reg.Table("local")
		f.register("identity", "b")
		synctest.Wait()
		// An older state was restored, under the same epoch.
		f.source.editing(func(s *registry.Snapshot) { *s = older.Snapshot(registry.Interest{}) })
		for range digests {
			digest := older.Digest("")
			digest.Sole = sole
			f.table.inbox.put(message{feed: f.table.own.feeds[""], update: registry.Update{Digest: &digest}})
			pass(2 * time.Second)
		}
		now, _ := f.table.Table()
		if now.Hash() != older.Hash() || now.Revision != older.Revision {
			t.Errorf("table is %v at %s, expected %v", text(now), now.Revision, text(older))
		}
	})
}

func TestAReconnectOfAllIsSpread(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.start()
		var least, most time.Duration = time.Hour, 0
		for range 50 {
			start, before := time.Now(), f.source.count()
			f.reg.ComeBack()
			for f.source.count() == before {
				pass(5 * time.Millisecond)
			}
			least, most = min(least, time.Since(start)), max(most, time.Since(start))
			pass(10 * time.Second)
		}
		if least > massSpread/4 || most < massSpread/2 || most > massSpread+10*time.Millisecond {
			t.Errorf("asked again after %s to %s", least, most)
		}
	})
}

func TestRequestsInVainBackOff(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.reg.GoAway()
		f.table.Start()
		pass(time.Minute)
		if n := f.source.count(); n < 25 || n > 70 {
			t.Errorf("%d requests in a minute, expected about one every 1 to 2 s", n)
		}
		if s := f.table.Stats(); s.Failures == 0 || s.Snapshots != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestChangesThatNeverFitDoNotStorm(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		epoch := f.reg.Table("local").Revision.Epoch
		in := instance("identity", "a")
		for i := range uint64(600) {
			bad := &registry.Changes{Epoch: epoch, Realm: "local", Service: "identity", Changes: []registry.Change{{Revision: 1000 + i*2, Previous: 999 + i*2, Instance: &in}}}
			f.table.inbox.put(message{feed: f.table.own.feeds[""], update: registry.Update{Changes: bad}})
			pass(100 * time.Millisecond)
		}
		if n := f.source.count(); n > 70 {
			t.Errorf("%d snapshots were asked for in a minute", n)
		}
	})
}

func TestASilentRegistryIsAskedNowAndThen(t *testing.T) {
	inBubble(t, Options{Services: []string{"identity"}}, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		f.reg.Forget() // no digest will ever speak of identity
		pass(silence + silence/3 + massSpread + 6*time.Second)
		f.equal()
	})
}

func TestCloseLeavesTheTableReadable(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		f.table.Close()
		f.table.Close()
		if s, err := f.table.Resolve(context.Background(), "identity"); err != nil || s.Len() != 1 {
			t.Errorf("Resolve: %v, %v", s, err)
		}
	})
}

// TestAnHourWithoutTheControlPlaneChangesNoRouting has a table that was live,
// and a service that is called for the first time while nobody answers.
func TestAnHourWithoutTheControlPlaneChangesNoRouting(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a", "b")
		f.disable("identity", "b")
		f.start()
		before, changed := f.table.Table()
		f.reg.GoAway()
		pass(time.Hour)
		select {
		case <-changed:
			t.Error("the table changed")
		default:
		}
		after, _ := f.table.Table()
		if after.Hash() != before.Hash() || after.Source != registry.Live || f.table.Age() < time.Hour {
			t.Errorf("after an hour: %s, source %s, age %s", text(after), after.Source, f.table.Age())
		}
		f.reg.ComeBack()
		pass(time.Second)
		f.equal()
		if age := f.table.Age(); age > time.Second {
			t.Errorf("age %s after it came back", age)
		}
	})
}

// TestAfterALongOutageItIsAskedOften has a bus that is back before the
// registry is: what failed for an hour must not make it wait long now.
func TestAfterALongOutageItIsAskedOften(t *testing.T) {
	wholeRealm(t, func(f *fixture) {
		f.register("identity", "a")
		f.start()
		f.reg.GoAway()
		pass(time.Hour)
		f.table.inbox.put(message{feed: f.table.own.feeds[""], update: registry.Update{Lost: true}})
		before := f.source.count()
		pass(time.Second)
		if asked := f.source.count() - before; asked < 3 {
			t.Errorf("asked %d times in the first second", asked)
		}
	})
}
