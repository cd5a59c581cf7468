package haproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"fairlead.dev/registry"
)

// A keeper is the one goroutine that owns HAProxy: it starts it, and keeps it
// equal to the newest table.
type keeper struct {
	plane   *Plane
	api     runtimeAPI
	in      folder
	program string
	// listeners are open unless a HAProxy was found that has them.
	listeners []net.Listener
	stop      <-chan struct{}

	process   *process
	structure structure
	// running is the description of what runs.
	running string
	table   *registry.Table
	wishes  wishes
	// has is what HAProxy has as far as is known, nil if that is in doubt.
	has *model
	// retired are the workers that a reload has replaced not long ago.
	retired []retired
	// settled are the farms that has is known to be equal to.
	settled map[*farm]bool
	// leaving are the servers in quarantine, by slot/name.
	leaving map[string]time.Time
	// look is the one under way, and saving too.
	look   *look
	saving *saving
	// unsaved tells that what is on disk is not what HAProxy has.
	unsaved bool
}

// startPatience bounds the wait for HAProxy to take commands.
const startPatience = 10 * time.Second

// Run starts HAProxy, or goes on with the one that runs in the folder, keeps it
// running, and ends it when ctx ends.
func (p *Plane) Run(ctx context.Context) error {
	unlock, err := p.in.open()
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	stop := make(chan struct{})
	k := &keeper{plane: p, in: p.in, api: runtimeAPI{p.in.file(runtimeSock)}, stop: stop, leaving: map[string]time.Time{}}
	defer func() { closeAll(k.listeners) }()
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
	err = k.take(ctx)
	if err == nil {
		close(p.up)
		k.loop(ctx)
	}
	if ctx.Err() == nil {
		// An HAProxy that runs here carries on for whoever tries next.
		close(stop)
		return err
	}
	return k.end(stop)
}

// begin has Apply wait for the keeper from now on, and returns what it was
// given before.
func (p *Plane) begin() *registry.Table {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = true
	return p.first
}

// end stops HAProxy, unless it is to stay.
func (k *keeper) end(stop chan struct{}) error {
	// Who connects from now on is refused, and not left waiting.
	closeAll(k.listeners)
	k.save()
	k.saved()
	var err error
	if k.process != nil && !k.plane.opts.Keep {
		err = k.stopGently(k.process)
		unlink(k.structure.doors)
	}
	close(stop)
	return err
}

func (k *keeper) stopGently(p *process) error {
	o := k.plane.opts
	ctx, cancel := context.WithTimeout(o.Hurry, o.Grace)
	defer cancel()
	return p.stop(ctx, k.in)
}

// compareShare is how much longer than a comparison the pause after it is.
const compareShare = 50

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
			k.dismiss(ctx)
			k.look = startLook(ctx, k.api, k.has, k.structure.slots)
		case <-k.looked():
			took := time.Since(k.look.began)
			k.compare(ctx)
			compare.Reset(max(k.plane.opts.Compare, compareShare*took))
		case <-k.plane.names.changed:
			k.renamed(ctx)
		case <-k.process.ended:
			k.revive(ctx)
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
	if k.has != l.from {
		return
	}
	if l.err != nil {
		k.plane.log.Warn("haproxy does not tell what it has", "error", l.err)
		k.has = nil
		return
	}
	k.found(l)
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

func (k *keeper) found(l *look) {
	before := k.has
	k.has = l.result()
	if before != nil && before.equal(k.has) {
		return
	}
	k.settled = nil
	k.plane.ledger.owns(k.has.entries, k.has.slots)
	if before != nil && k.table != nil {
		k.plane.log.Warn("haproxy is not as it was left; it is brought back")
		k.plane.note(func(s *Status) { s.Repairs++ })
	}
}

// reconcile makes HAProxy equal to the table.
func (k *keeper) reconcile(ctx context.Context) error {
	k.structure.rules = ruledIn(k.table)
	if k.structure.description() != k.running {
		return k.restructure(ctx, "other rules or options")
	}
	farms := k.farms()
	if k.has == nil {
		now, err := observe(ctx, k.api, k.structure.slots)
		if err != nil {
			return err
		}
		k.has, k.settled = now, nil
		k.plane.ledger.owns(now.entries, now.slots)
	}
	commands, err := plan(farms, k.has, k.settled)
	if errors.Is(err, errNoSlot) {
		return k.restructure(ctx, "more services than slots")
	}
	if err != nil {
		return err
	}
	if err := k.send(ctx, commands); err != nil {
		return err
	}
	k.settled = settledBy(farms)
	return nil
}

func (k *keeper) farms() []*farm {
	farms := k.wishes.of(k.table, k.plane.names.find)
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
