package haproxy

import (
	"context"
	"errors"
)

// grow makes room for the table's services, and then some.
func (k *keeper) grow() {
	if k.table != nil {
		k.structure.rules = ruledIn(k.table)
	}
	k.structure.slots = k.room(k.structure.slots)
}

// room returns how many slots there should be instead of some.
func (k *keeper) room(slots int) int {
	services := 0
	if k.table != nil {
		services = len(k.farmsWith(nil))
	}
	if need := services + k.plane.opts.Spare; slots < need {
		return need + services/2
	}
	return slots
}

// planned is what HAProxy will be made from when it starts or reloads next.
func (k *keeper) planned() structure {
	if k.next != nil {
		return *k.next
	}
	return k.structure
}

// file writes a configuration of a structure that was checked, and what belongs
// to it.
func (k *keeper) file(ctx context.Context, s structure) error {
	if err := k.in.write(scriptFile, []byte(hopScript)); err != nil {
		return err
	}
	k.unsaved = true
	if err := k.renew(checkedFile, s); err != nil {
		return err
	}
	return k.in.adopt(ctx, k.program, s)
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
func (k *keeper) renew(name string, s structure) error {
	write, err := k.writing(name, s)
	if err != nil {
		return err
	}
	k.saved()
	return write()
}

// writing returns what renew does, to be done by whoever has the time: it uses
// nothing that the keeper changes.
func (k *keeper) writing(name string, s structure) (func() error, error) {
	var farms []*farm
	if k.table != nil {
		farms = k.farmsWith(nil)
	}
	// Servers in quarantine are not written, so they keep no slot.
	slots, err := assign(farms, &model{slots: s.slots, entries: k.entries()})
	if err != nil {
		return nil, err
	}
	in, seen := k.in, k.table != nil
	return func() error {
		config, entries, err := render(s, farms, slots, seen)
		if err != nil {
			return err
		}
		return errors.Join(in.write(name, config), in.write(mapFile, entries))
	}, nil
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
	write, err := k.writing(configFile, k.planned())
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
