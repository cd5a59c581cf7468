package haproxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"fairlead.dev/registry"
)

// A keeper is the one goroutine that owns what HAProxy has: it keeps it equal to
// the newest table.
type keeper struct {
	plane   *Plane
	api     runtimeAPI
	in      folder
	program string
	custody custody

	structure structure
	// running is the description of what runs.
	running string
	// next is what HAProxy should be made from instead, if that is not for the
	// keeper to do.
	next   *structure
	table  *registry.Table
	wishes wishes
	// detours are services that the sidecar carries until then.
	detours map[string]bool
	// has is what HAProxy has as far as is known, nil if that is in doubt.
	has *model
	// settled are the farms that has is known to be equal to.
	settled map[*farm]bool
	// leaving are the servers in quarantine, by slot/name.
	leaving map[string]time.Time
	// look is the one under way, and saving too.
	look   *look
	saving *saving
	// unsaved tells that what is on disk is not what HAProxy has.
	unsaved bool
	// trouble is why HAProxy could not be asked the last time.
	trouble string
}

// A custody is who starts HAProxy and ends it: this plane, or somebody else.
type custody interface {
	// take goes on with a HAProxy that runs, or starts one.
	take(ctx context.Context) error
	// meet is told of the HAProxy that was asked; it may be another one than
	// the last time.
	meet(now *model) error
	// restructure does what can be done about a table for which HAProxy has to
	// be made from something else, and says why.
	restructure(ctx context.Context, why string) error
	// tend is called before HAProxy is compared.
	tend(ctx context.Context)
	// ended is closed when HAProxy ends by itself, and revive starts it again.
	ended() <-chan struct{}
	revive(ctx context.Context)
	// end ends HAProxy, as far as that is to be, and release lets go of it.
	end() error
	release()
}

func (p *Plane) newKeeper() *keeper {
	k := &keeper{plane: p, in: p.in, api: p.api, wishes: wishes{zone: p.opts.Zone}, leaving: map[string]time.Time{}}
	if p.opts.Attach != "" {
		k.custody = &attached{keeper: k}
	} else {
		k.custody = &owned{keeper: k, stop: make(chan struct{})}
	}
	return k
}

// startPatience bounds the wait for HAProxy to take commands.
const startPatience = 10 * time.Second

// Run starts HAProxy, or goes on with the one that runs in the folder, keeps it
// running, and ends it when ctx ends. With [Options.Attach] it only keeps one
// equal to the table that somebody else runs.
func (p *Plane) Run(ctx context.Context) error {
	unlock, err := p.in.open()
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	k := p.newKeeper()
	defer k.custody.release()
	if k.program, err = findProgram(p.opts.Program); err != nil {
		return err
	}
	stopMeters, err := p.measure()
	if err != nil {
		return err
	}
	defer func() { _ = stopMeters() }()
	endAside, err := p.serveAside()
	if err != nil {
		return err
	}
	defer endAside()
	names, stopNames := context.WithCancel(context.Background())
	var resolving sync.WaitGroup
	resolving.Go(func() { p.names.run(names) })
	defer resolving.Wait()
	defer stopNames()
	k.table = p.begin()
	err = k.custody.take(ctx)
	if err == nil {
		close(p.up)
		k.loop(ctx)
	}
	if ctx.Err() == nil {
		// An HAProxy that runs here carries on for whoever tries next.
		return err
	}
	return k.custody.end()
}

// begin has Apply wait for the keeper from now on, and returns what it was
// given before.
func (p *Plane) begin() *registry.Table {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = true
	return p.first
}

// compareShare is how much longer than a comparison the pause after it is.
const compareShare = 50

// maxPause bounds that pause: what stalled for a moment may be another HAProxy a
// moment later, and nothing else notices that.
const maxPause = 30 * time.Second

// pauseAfter returns how long to wait after a look. One that failed tells
// nothing of what looking costs.
func pauseAfter(l *look, took, least time.Duration) time.Duration {
	if l.err != nil {
		return least
	}
	return max(least, min(compareShare*took, maxPause))
}

func (k *keeper) loop(ctx context.Context) {
	compare := time.NewTimer(k.plane.opts.Compare)
	defer compare.Stop()
	defer k.endLook()
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-k.plane.offer:
			k.table = o.table
			o.done <- k.reconcile(ctx)
		case <-compare.C:
			k.custody.tend(ctx)
			k.look = startLook(ctx, k.api, k.has)
		case <-k.looked():
			next := pauseAfter(k.look, time.Since(k.look.began), k.plane.opts.Compare)
			k.compare(ctx)
			compare.Reset(next)
		case <-k.plane.names.changed:
			k.renamed(ctx)
		case <-k.custody.ended():
			k.custody.revive(ctx)
		}
	}
}

// renamed follows addresses that have changed.
func (k *keeper) renamed(ctx context.Context) {
	k.wishes.reshape()
	if k.table == nil {
		return
	}
	if err := k.reconcile(ctx); err != nil {
		k.plane.log.Warn("cannot follow the address of a host", "error", err)
	}
}

// endLook waits for the look under way; ctx, which has ended, ends it.
func (k *keeper) endLook() {
	if k.look != nil {
		<-k.look.done
	}
}

// compare takes what was found, and mends it.
func (k *keeper) compare(ctx context.Context) {
	l := k.look
	k.look = nil
	// If it is another HAProxy, or in doubt, it was asked anew or will be.
	if k.has != l.from || ctx.Err() != nil {
		return
	}
	if err := k.found(l); err != nil {
		k.has = nil
		k.troubled(err)
		return
	}
	k.troubled(nil)
	if k.table == nil {
		return
	}
	if err := k.reconcile(ctx); err != nil {
		k.plane.log.Warn("cannot bring haproxy back", "error", err)
		return
	}
	k.sweep(ctx)
	k.plane.names.keep(hostsOf(k.table))
	k.save()
	k.in.trimLog()
}

func (k *keeper) found(l *look) error {
	if l.err != nil {
		return fmt.Errorf("haproxy does not tell what it has: %w", l.err)
	}
	if l.another() {
		k.has = nil
		return nil
	}
	before, now := k.has, l.result()
	if before != nil && before.equal(now) {
		k.has = now
		return nil
	}
	if before != nil && k.table != nil {
		k.plane.log.Warn("haproxy is not as it was left; it is brought back")
		k.plane.note(func(s *Status) { s.Repairs++ })
	}
	return k.know(now)
}

// troubled notes whether HAProxy can be asked, and says so when that changes.
func (k *keeper) troubled(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == k.trouble {
		return
	}
	k.trouble = text
	k.plane.note(func(s *Status) { s.Problem = text })
	if err != nil {
		k.plane.log.Warn("haproxy cannot be asked", "error", err)
		return
	}
	k.plane.log.Info("haproxy answers again")
}

// know takes what HAProxy has for known.
func (k *keeper) know(now *model) error {
	if err := k.custody.meet(now); err != nil {
		return err
	}
	k.has, k.settled = now, nil
	k.plane.ledger.owns(now.entries, now.slots)
	return nil
}

// ask has HAProxy tell what it has.
func (k *keeper) ask(ctx context.Context) error {
	now, err := observe(ctx, k.api)
	if err == nil {
		err = k.know(now)
	}
	if err == nil {
		k.troubled(nil)
	}
	return err
}

// Why HAProxy has to be made from something else.
const (
	whyOther = "other rules or options"
	whySlots = "more services than slots"
)

// reconcile makes HAProxy equal to the table.
func (k *keeper) reconcile(ctx context.Context) error {
	if k.has == nil {
		if err := k.ask(ctx); err != nil {
			return err
		}
	}
	k.structure.rules, k.detours = ruledIn(k.table), nil
	if k.structure.description() != k.running {
		return k.custody.restructure(ctx, whyOther)
	}
	err := k.conform(ctx)
	if errors.Is(err, errNoSlot) {
		return k.custody.restructure(ctx, whySlots)
	}
	if err == nil {
		k.fits()
	}
	return err
}

// fits notes that HAProxy is made from what the table wants.
func (k *keeper) fits() {
	if k.next == nil {
		return
	}
	k.next, k.unsaved = nil, true
	k.plane.note(func(s *Status) { s.Warning = "" })
	k.plane.log.Info("haproxy need not be reloaded any more")
}

// conform makes HAProxy equal to the table as it is made.
func (k *keeper) conform(ctx context.Context) error {
	farms := k.farms()
	commands, err := plan(farms, k.has, k.settled)
	if err != nil {
		return err
	}
	if err := k.send(ctx, commands); err != nil {
		return err
	}
	k.settled = settledBy(farms)
	return nil
}

// farms are what HAProxy should have as it is made.
func (k *keeper) farms() []*farm { return k.farmsWith(k.detours) }

func (k *keeper) farmsWith(detours map[string]bool) []*farm {
	farms := k.wishes.of(k.table, k.plane.names.find, detours)
	unfit := k.wishes.unfit()
	k.plane.note(func(s *Status) { s.Unfit = unfit })
	return farms
}

// send has HAProxy do commands. If one fails nothing is sure any more, and the
// next attempt begins by looking.
func (k *keeper) send(ctx context.Context, commands []command) error {
	if len(commands) == 0 {
		return nil
	}
	k.unsaved = true
	lines := make([]string, len(commands))
	for i, c := range commands {
		lines[i] = c.String()
	}
	k.look.touch(commands)
	answers, err := k.api.ask(ctx, lines...)
	if err != nil {
		k.has = nil
		return err
	}
	return k.settle(commands, answers)
}

func (k *keeper) settle(commands []command, answers []string) error {
	var errs []string
	for i, c := range commands {
		if !c.succeeded(answers[i]) {
			errs = append(errs, fmt.Sprintf("%s: %s", c, answers[i]))
			continue
		}
		k.has.apply(c)
	}
	if slices.ContainsFunc(commands, func(c command) bool { return c.key != "" }) {
		k.plane.ledger.owns(k.has.entries, k.has.slots)
	}
	if len(errs) > 0 {
		k.has = nil
		return fmt.Errorf("haproxy refused %d of %d commands: %s", len(errs), len(commands), strings.Join(errs[:min(len(errs), 3)], "; "))
	}
	return nil
}

// sweep deletes servers that have been in maintenance without an instance for
// long enough, and have no connection.
func (k *keeper) sweep(ctx context.Context) {
	due := k.quarantined(time.Now())
	k.plane.note(func(s *Status) { s.Leaving = len(k.leaving) })
	if len(due) == 0 {
		return
	}
	idle, err := idleServers(ctx, k.api, due)
	if err != nil {
		k.plane.log.Warn("haproxy does not tell its connections", "error", err)
		return
	}
	// Its counters go with it.
	k.count(ctx)
	for _, c := range idle {
		answers, err := k.api.ask(ctx, c.String())
		if err != nil {
			k.plane.log.Warn("cannot delete a server of haproxy", "server", c.server, "error", err)
			return
		}
		// It may still hold idle connections; they go by and by.
		if c.succeeded(answers[0]) {
			k.has.apply(c)
			delete(k.leaving, c.slot+"/"+c.server)
		}
	}
}

// quarantined notes which servers are unwanted, and returns the deletion of
// those that have been for long enough.
func (k *keeper) quarantined(now time.Time) (due []command) {
	unwanted := map[string]time.Time{}
	for _, c := range unwantedServers(k.farms(), k.has) {
		at := c.slot + "/" + c.server
		since, known := k.leaving[at]
		if !known {
			since = now
		}
		unwanted[at] = since
		if now.Sub(since) >= k.plane.opts.Quarantine {
			due = append(due, c)
		}
	}
	k.leaving = unwanted
	slices.SortFunc(due, before)
	return due
}

// count has the ledger read what is about to be forgotten.
func (k *keeper) count(ctx context.Context) {
	if err := k.plane.ledger.read(ctx); err != nil {
		k.plane.log.Warn("cannot read haproxy's counters", "error", err)
	}
}

// listensAt takes a HAProxy for one of those doors and so many slots.
func (k *keeper) listensAt(doors []Door, slots int) {
	k.structure = k.plane.opts.structureOf(doors, slots)
	k.plane.note(func(s *Status) {
		s.Addr, s.Doors = doors[0].Address, nil
		for _, d := range doors[1:] {
			s.Doors = append(s.Doors, d.Address)
		}
	})
}
