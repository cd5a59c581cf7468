package haproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// An owned custody is that of a HAProxy which is started here, or was by the
// sidecar before this one.
type owned struct {
	*keeper
	// listeners are open unless a HAProxy was found that has them.
	listeners []net.Listener
	// stop ends the watch over a process that was found.
	stop    chan struct{}
	process *process
	// retired are the workers that a reload has replaced not long ago.
	retired []retired
}

// meet: whoever reloads it otherwise does so from the same files.
func (k *owned) meet(*model) error { return nil }

func (k *owned) tend(ctx context.Context) { k.dismiss(ctx) }

func (k *owned) ended() <-chan struct{} { return k.process.ended }

// end stops HAProxy, unless it is to stay.
func (k *owned) end() error {
	// Who connects from now on is refused, and not left waiting.
	closeAll(k.listeners)
	k.save()
	k.saved()
	if k.process == nil || k.plane.opts.Keep {
		return nil
	}
	defer unlink(k.structure.doors)
	return k.stopGently(k.process)
}

func (k *owned) release() {
	closeAll(k.listeners)
	close(k.stop)
}

func (k *owned) stopGently(p *process) error {
	o := k.plane.opts
	ctx, cancel := context.WithTimeout(o.Hurry, o.Grace)
	defer cancel()
	return p.stop(ctx, k.in)
}

// take goes on with the HAProxy that runs in the folder, or starts one.
func (k *owned) take(ctx context.Context) error {
	found, err := k.adopt(ctx)
	if found || err != nil {
		return err
	}
	if err := k.listen(); err != nil {
		return err
	}
	return k.start(ctx, "start")
}

// adopt goes on with a running HAProxy if it listens where it should. If ctx
// ends meanwhile, what runs is what is to be ended.
func (k *owned) adopt(ctx context.Context) (bool, error) {
	running, err := k.findMaster()
	if running == nil || err != nil {
		return false, err
	}
	k.process = running
	now, err := askInfo(ctx, k.api)
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	doors, slots := k.fitting(now.description)
	if err != nil || doors == nil || now.stopping {
		k.plane.log.Info("the haproxy that runs here is of no use and is stopped", "pid", running.master.Pid, "description", now.description)
		return false, k.stopGently(running)
	}
	k.listensAt(doors, slots)
	k.plane.log.Info("goes on with the haproxy that runs here", "pid", running.master.Pid, "addr", doors[0].Address)
	k.plane.note(func(s *Status) { s.Adopted = true })
	k.running = now.description
	// What does not work yet is tried again with the next comparison.
	if k.table != nil {
		if err := k.reconcile(ctx); err != nil {
			k.plane.log.Warn("cannot bring haproxy to the table yet", "error", err)
		}
	}
	return true, nil
}

// findMaster returns the master that runs in the folder, nil if there is none.
// Of several one is left: a sidecar that was killed just as it had started
// HAProxy may leave one that nobody has noted.
func (k *owned) findMaster() (*process, error) {
	var found *process
	for _, pid := range mastersIn(k.in) {
		p, err := watched(pid, k.in, k.stop)
		switch {
		case err != nil:
			return nil, err
		case found == nil:
			found = p
			continue
		}
		k.plane.log.Warn("another haproxy runs here and is stopped", "pid", pid)
		if err := p.cut(k.in); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// fitting returns the doors and the number of slots of a description, no doors
// if it is not of one who listens where the plane is to.
func (k *owned) fitting(text string) (doors []Door, slots int) {
	found, ok := readDescription(text)
	if !ok {
		return nil, 0
	}
	doors, fit := described(found.doors, k.plane.opts.doors())
	if !fit {
		return nil, 0
	}
	return doors, found.slots
}

// listen opens the doors that HAProxy inherits. They stay open here too, so
// that callers wait and are not refused while HAProxy is started anew.
func (k *owned) listen() (err error) {
	var doors []Door
	if k.listeners, doors, err = k.plane.opts.listenAt(k.plane.opts.doors()); err != nil {
		return err
	}
	k.listensAt(doors, 0)
	return nil
}

// start starts HAProxy with all that the table wants.
func (k *owned) start(ctx context.Context, why string) error {
	if err := k.in.write(scriptFile, []byte(hopScript)); err != nil {
		return err
	}
	k.grow()
	if err := k.renew(configFile, k.structure); err != nil {
		return err
	}
	from := k.in.logSize()
	began, err := startMaster(k.program, k.in, k.listeners)
	if err != nil {
		return err
	}
	k.process, k.has = began, nil
	if err := k.await(ctx, 0); err != nil {
		_ = began.cut(k.in)
		if said := k.in.complaints(from); said != "" {
			return fmt.Errorf("start haproxy: %s", said)
		}
		return fmt.Errorf("start haproxy: %w", err)
	}
	k.plane.note(func(s *Status) { s.Starts++; s.Last, s.Why = time.Now(), why })
	k.plane.log.Info("haproxy runs", "pid", began.master.Pid, "addr", k.structure.doors[0].Address, "why", why)
	// It has what was written; what is missing still comes by the comparison.
	if k.table != nil {
		if err := k.reconcile(ctx); err != nil {
			k.plane.log.Warn("cannot bring haproxy to the table yet", "error", err)
		}
	}
	return nil
}

// await waits until another worker than the one with a process id takes
// commands.
func (k *owned) await(ctx context.Context, other int) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := askInfo(ctx, k.api)
		if err == nil && now.pid != other && now.description == k.structure.description() {
			k.running = now.description
			k.plane.ledger.restarted()
			return nil
		}
		select {
		case <-k.process.ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return errors.New("it does not take commands")
		case <-tick.C:
		}
	}
}

// restructure reloads HAProxy with a configuration that was checked. If it is
// rejected, the one before stays.
func (k *owned) restructure(ctx context.Context, why string) error {
	before := k.structure
	err := k.reloadChecked(ctx)
	if err != nil {
		k.structure.slots = before.slots
		return fmt.Errorf("reload haproxy because of %s: %w", why, err)
	}
	k.plane.note(func(s *Status) { s.Reloads++; s.Last, s.Why = time.Now(), why })
	k.plane.log.Info("haproxy is reloaded", "why", why)
	if k.table == nil {
		return nil
	}
	return k.reconcile(ctx)
}

func (k *owned) reloadChecked(ctx context.Context) error {
	k.grow()
	if err := k.file(ctx, k.structure); err != nil {
		return err
	}
	old, err := askInfo(ctx, k.api)
	if err != nil {
		return err
	}
	k.has = nil
	k.count(ctx)
	if err := reload(ctx, k.in); err != nil {
		return err
	}
	k.retired = append(k.retired, retired{pid: old.pid, at: time.Now()})
	return k.await(ctx, old.pid)
}

// revive starts HAProxy again after it ended by itself.
func (k *owned) revive(ctx context.Context) {
	k.plane.log.Error("haproxy ended", "said", k.in.complaints(max(0, k.in.logSize()-4096)))
	for failures := 0; ctx.Err() == nil; failures++ {
		err := k.restart(ctx)
		if err == nil {
			return
		}
		k.plane.log.Error("haproxy does not start again", "error", err)
		pause(ctx, min(50*time.Millisecond<<min(failures, 8), 5*time.Second))
	}
}

func (k *owned) restart(ctx context.Context) error {
	if k.listeners == nil {
		if err := k.listen(); err != nil {
			return err
		}
	}
	return k.start(ctx, "it ended by itself")
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
