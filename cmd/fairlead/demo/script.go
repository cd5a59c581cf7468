package demo

import (
	"context"
	"fmt"
	"time"

	"fairlead.dev/registry"
)

// Pauses between what happens, so that each second of the faults is a second
// in which requests flow.
const (
	pause     = 1500 * time.Millisecond
	busDown   = 3 * time.Second
	lastWords = 500 * time.Millisecond
	// fewAnswers in a second show that an instance is in use.
	fewAnswers = 10
)

// script is what happens to the realm while requests flow.
func (d *demo) script(ctx context.Context) error {
	steps := []func(context.Context) error{
		d.rest,
		func(ctx context.Context) error { return d.flip(ctx, "identity-2") },
		d.rollingRestart,
		func(ctx context.Context) error { return d.kill(ctx, "identity-2") },
		d.rest,
		d.killBus,
		func(ctx context.Context) error { return d.flip(ctx, "identity-1") },
		d.enough,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) rest(ctx context.Context) error { return wait(ctx, pause) }

func wait(ctx context.Context, t time.Duration) error {
	select {
	case <-time.After(t):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// timed waits until every table has a change, and notes how long that took
// and when an instance that should be spared answered last.
func (d *demo) timed(ctx context.Context, what string, since time.Time, ok func(*registry.Table) bool, spares string) error {
	last, err := d.tables.reach(ctx, what, ok)
	if err != nil {
		return err
	}
	c := Change{What: what, LastTable: ms(last.Sub(since)), Tables: len(d.tables.sessions)}
	if spares != "" {
		if err := wait(ctx, lastWords); err != nil {
			return err
		}
		after := ms(d.tally.last(spares).Sub(since))
		c.LastRequest = &after
	}
	d.report.Changes = append(d.report.Changes, c)
	d.say("%-42s last of %d tables after %.1f ms", what, c.Tables, c.LastTable)
	return nil
}

// flip disables an instance and enables it again.
func (d *demo) flip(ctx context.Context, id string) error {
	k := registry.Key{Realm: realmName, Service: identity, Instance: id}
	began := time.Now()
	if _, err := d.session.Atlas().SetFlag(ctx, k, &registry.Flag{Owner: "demo", Reason: "shown by the demo"}); err != nil {
		return fmt.Errorf("disable %s: %w", id, err)
	}
	if err := d.timed(ctx, "disable "+id, began, spared(identity, id), id); err != nil {
		return err
	}
	if err := d.rest(ctx); err != nil {
		return err
	}
	began = time.Now()
	if _, err := d.session.Atlas().SetFlag(ctx, k, nil); err != nil {
		return fmt.Errorf("enable %s: %w", id, err)
	}
	if err := d.timed(ctx, "enable "+id, began, takes(identity, id), ""); err != nil {
		return err
	}
	return d.rest(ctx)
}

// rollingRestart replaces all copies of identity, one after the other.
func (d *demo) rollingRestart(ctx context.Context) error {
	for _, id := range identityIDs {
		if err := d.restart(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) restart(ctx context.Context, id string) error {
	p, before := d.realm.instances[id], d.incarnation(id)
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- p.stop(ctx) }()
	if err := d.timed(ctx, "restart "+id+": drains", began, spared(identity, id), ""); err != nil {
		return err
	}
	if err := <-ended; err != nil {
		return err
	}
	if err := d.realm.startExample(identity, id); err != nil {
		return err
	}
	return d.registered(ctx, "restart "+id+": back", id, before)
}

// registered times a new life of an instance from its registration by Atlas to
// the last table.
func (d *demo) registered(ctx context.Context, what, id, before string) error {
	back := reborn(identity, id, before)
	last, err := d.tables.reach(ctx, what, back)
	if err != nil {
		return err
	}
	table, _ := d.tables.sessions[0].Table().Table()
	in, _ := find(table, identity, id)
	d.report.Changes = append(d.report.Changes, Change{What: what, LastTable: ms(last.Sub(in.Since)), Tables: len(d.tables.sessions)})
	d.say("%-42s last of %d tables after %.1f ms", what, len(d.tables.sessions), ms(last.Sub(in.Since)))
	return nil
}

func (d *demo) incarnation(id string) string {
	table, _ := d.tables.sessions[0].Table().Table()
	in, _ := find(table, identity, id)
	return in.Incarnation
}

// kill ends an instance as a crash does, and starts it again.
func (d *demo) kill(ctx context.Context, id string) error {
	if err := d.rest(ctx); err != nil {
		return err
	}
	if err := d.serving(ctx, id); err != nil {
		return err
	}
	p, before := d.realm.instances[id], d.incarnation(id)
	dead := time.Now()
	p.kill()
	if err := d.timed(ctx, "kill -9 "+id, dead, gone(identity, id), id); err != nil {
		return err
	}
	d.killedLife = life{id, before}
	d.report.Killed = Killed{
		Instance: id, ServedBefore: d.tally.between(id, dead.Add(-time.Second), dead),
		ListedSeconds: d.report.Changes[len(d.report.Changes)-1].LastTable / 1000,
	}
	if err := d.rest(ctx); err != nil {
		return err
	}
	if err := d.realm.startExample(identity, id); err != nil {
		return err
	}
	return d.registered(ctx, "start "+id+" again", id, before)
}

// serving waits until an instance has its share of the requests, so that its
// death is felt: right after a start callers may still prefer those they know.
func (d *demo) serving(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := poll(ctx, func() (bool, error) {
		now := time.Now()
		return d.tally.between(id, now.Add(-time.Second), now) >= fewAnswers, nil
	})
	if err != nil {
		return fmt.Errorf("%s gets no requests: %w", id, err)
	}
	return nil
}

// killBus ends the bus, Atlas and the bridge together, lets requests flow
// without them, and starts them again on the same data.
func (d *demo) killBus(ctx context.Context) error {
	d.say("kill -9 of the bus and Atlas; requests go on")
	down := time.Now()
	d.realm.server.kill()
	if err := wait(ctx, busDown); err != nil {
		return err
	}
	began := time.Now()
	if err := d.realm.startServer(ctx, hostOf(d.realm.at.NATS), hostOf(d.realm.at.HTTP)); err != nil {
		return err
	}
	d.say("the bus is back after %.1f s", time.Since(down).Seconds())
	confirmed := func(t *registry.Table) bool { return t.Source == registry.Live && t.Updated.After(began) }
	all := []func(*registry.Table) bool{confirmed}
	for _, id := range identityIDs {
		all = append(all, takes(identity, id))
	}
	return d.timed(ctx, "start the bus again: tables confirmed", began, every(all...), "")
}

// enough lets the requests flow until there are as many as were promised.
func (d *demo) enough(ctx context.Context) error {
	for d.tally.total() < leastRequests+leastRequests/50 {
		if err := wait(ctx, lastWords); err != nil {
			return err
		}
	}
	return nil
}
