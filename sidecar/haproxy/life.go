package haproxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"
)

var descriptionForm = regexp.MustCompile(`^` + descriptionPrefix + ` addr=(\S*) slots=(\d+) structure=[0-9a-f]+$`)

// take goes on with the HAProxy that runs in the folder, or starts one.
func (k *keeper) take(ctx context.Context) error {
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
func (k *keeper) adopt(ctx context.Context) (bool, error) {
	running, err := k.findMaster()
	if running == nil || err != nil {
		return false, err
	}
	k.process = running
	now, err := askInfo(ctx, k.api)
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	form := descriptionForm.FindStringSubmatch(now.description)
	doors, slots := k.fitting(form)
	if err != nil || doors == nil || now.stopping {
		k.plane.log.Info("the haproxy that runs here is of no use and is stopped", "pid", running.master.Pid, "description", now.description)
		return false, k.stopGently(running)
	}
	k.structure = k.structureOf(doors, slots)
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
func (k *keeper) findMaster() (*process, error) {
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
		if err := p.cut(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// fitting returns the doors and the number of slots of a description, no doors
// if it is not of one who listens where the plane is to.
func (k *keeper) fitting(form []string) (doors []Door, slots int) {
	if form == nil {
		return nil, 0
	}
	doors, fit := described(form[1], k.plane.opts.doors())
	if !fit {
		return nil, 0
	}
	slots, _ = strconv.Atoi(form[2])
	return doors, slots
}

// listen opens the doors that HAProxy inherits. They stay open here too, so
// that callers wait and are not refused while HAProxy is started anew.
func (k *keeper) listen() (err error) {
	var doors []Door
	if k.listeners, doors, err = k.plane.opts.listenAt(k.plane.opts.doors()); err != nil {
		return err
	}
	k.structure = k.structureOf(doors, 0)
	return nil
}

// descriptors is how many files HAProxy needs beside those of its connections.
const descriptors = 512

func (k *keeper) structureOf(doors []Door, slots int) structure {
	o := k.plane.opts
	k.plane.note(func(s *Status) {
		s.Addr, s.Doors = doors[0].Address, nil
		for _, d := range doors[1:] {
			s.Doors = append(s.Doors, d.Address)
		}
	})
	// A request needs two, and HAProxy does not start with fewer.
	all := max(min(20_000, (openFiles()-descriptors)/2), 64)
	return structure{
		realm: o.Realm, doors: doors, hosts: o.Hosts, realms: o.Realms, others: o.Others, slots: slots,
		maxConn: all, most: min(o.MaxConnections, all),
	}
}

// start starts HAProxy with all that the table wants.
func (k *keeper) start(ctx context.Context, why string) error {
	if err := k.in.write(scriptFile, []byte(hopScript)); err != nil {
		return err
	}
	k.grow()
	if err := k.renew(configFile); err != nil {
		return err
	}
	from := k.in.logSize()
	began, err := startMaster(k.program, k.in, k.listeners)
	if err != nil {
		return err
	}
	k.process, k.has = began, nil
	if err := k.await(ctx, 0); err != nil {
		_ = began.cut()
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

// grow makes room for the table's services, and then some.
func (k *keeper) grow() {
	services := 0
	if k.table != nil {
		k.structure.rules = ruledIn(k.table)
		services = len(k.farms())
	}
	if need := services + k.plane.opts.Spare; k.structure.slots < need {
		k.structure.slots = need + services/2
	}
}

// entries are those of the map as far as they are known, so that services
// keep their slots.
func (k *keeper) entries() map[string]string {
	if k.has == nil {
		return nil
	}
	return k.has.entries
}

// renew writes the configuration, under a name, and the map, as the table
// wants them.
func (k *keeper) renew(name string) error {
	write, err := k.writing(name)
	if err != nil {
		return err
	}
	k.saved()
	return write()
}

// writing returns what renew does, to be done by whoever has the time: it uses
// nothing that the keeper changes.
func (k *keeper) writing(name string) (func() error, error) {
	var farms []*farm
	if k.table != nil {
		farms = k.farms()
	}
	// Servers in quarantine are not written, so they keep no slot.
	slots, err := assign(farms, &model{slots: k.structure.slots, entries: k.entries()})
	if err != nil {
		return nil, err
	}
	s, in, seen := k.structure, k.in, k.table != nil
	return func() error {
		config, entries, err := render(s, farms, slots, seen)
		if err != nil {
			return err
		}
		return errors.Join(in.write(name, config), in.write(mapFile, entries))
	}, nil
}

// await waits until another worker than the one with a process id takes
// commands.
func (k *keeper) await(ctx context.Context, other int) error {
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
func (k *keeper) restructure(ctx context.Context, why string) error {
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

func (k *keeper) reloadChecked(ctx context.Context) error {
	if err := k.in.write(scriptFile, []byte(hopScript)); err != nil {
		return err
	}
	k.grow()
	k.unsaved = true
	if err := k.renew(checkedFile); err != nil {
		return err
	}
	if err := check(ctx, k.program, k.in, len(k.structure.doors)); err != nil {
		return err
	}
	if err := os.Rename(k.in.file(checkedFile), k.in.file(configFile)); err != nil {
		return fmt.Errorf("write for haproxy: %w", err)
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

// A saving is under way until done is closed.
type saving struct {
	done chan struct{}
	err  error
}

// save has the disk follow what HAProxy has, for its next start. Of many
// servers that takes a while, so it is done beside the keeper.
func (k *keeper) save() {
	k.saved()
	if !k.unsaved || k.table == nil || k.has == nil {
		return
	}
	write, err := k.writing(configFile)
	if err != nil {
		k.plane.log.Warn("cannot write haproxy's configuration", "error", err)
		return
	}
	k.unsaved = false
	s := &saving{done: make(chan struct{})}
	k.saving = s
	go func() {
		defer close(s.done)
		s.err = write()
	}()
}

// saved waits for the saving under way.
func (k *keeper) saved() {
	if k.saving == nil {
		return
	}
	<-k.saving.done
	if err := k.saving.err; err != nil {
		k.plane.log.Warn("cannot write haproxy's configuration", "error", err)
		k.unsaved = true
	}
	k.saving = nil
}

// revive starts HAProxy again after it ended by itself.
func (k *keeper) revive(ctx context.Context) {
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

func (k *keeper) restart(ctx context.Context) error {
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
