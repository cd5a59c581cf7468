package haproxy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"fairlead.dev/registry"
)

// An attached custody is that of a HAProxy which somebody else runs, from what
// [Configuration] returned. It is talked to by its runtime API alone.
//
// What it cannot do until it is reloaded the sidecar does meanwhile: services
// without a slot and those with other rules go aside.
type attached struct {
	*keeper
	// worker is the process that was met last, made from what runs says.
	worker int
	runs   description
	// refused is the last configuration that HAProxy did not take, and why.
	refused struct {
		description string
		err         error
	}
}

func (k *attached) take(ctx context.Context) error {
	if err := k.first(ctx); err != nil {
		return err
	}
	k.plane.log.Info("attached to a haproxy", "socket", k.api.path, "pid", k.worker, "addr", k.structure.doors[0].Address)
	k.plane.note(func(s *Status) { s.Adopted = true })
	// What does not work yet is tried again with the next comparison.
	if k.table != nil {
		if err := k.reconcile(ctx); err != nil {
			k.plane.log.Warn("cannot bring haproxy to the table yet", "error", err)
		}
	}
	return nil
}

// first waits for a HAProxy that takes commands, and looks whether it is the one
// that is meant.
func (k *attached) first(ctx context.Context) error {
	now, err := k.await(ctx)
	if err == nil {
		_, _, err = k.fitting(now.description)
	}
	if err == nil {
		err = checkVersion("the haproxy at "+k.api.path, "version "+now.version)
	}
	if err == nil {
		err = k.ask(ctx)
	}
	if errors.Is(err, errForeign) {
		err = &registry.FieldError{Field: "--haproxy-socket", Problem: fmt.Sprintf(
			"%v; at %s one is expected of realm %s that listens at %s and is of no other sidecar, with data in %s: have --print-config, with the same flags, make its configuration",
			err, k.api.path, k.plane.opts.Realm, describe(k.plane.opts.doors()), k.plane.opts.Data)}
	}
	return err
}

// await gives a HAProxy that is started at the same time as the sidecar a while.
func (k *attached) await(ctx context.Context) (now info, err error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		now, err = askInfo(ctx, k.api)
		if err == nil {
			return now, nil
		}
		pause(ctx, 50*time.Millisecond)
		if ctx.Err() != nil {
			return now, fmt.Errorf("attach to a haproxy: %w (it is to be started with what --print-config leaves at %s)", err, k.in.file(configFile))
		}
	}
}

// meet takes note of another worker: whoever runs HAProxy has started or
// reloaded it.
func (k *attached) meet(now *model) error {
	if now.worker == k.worker && now.description == k.running {
		return nil
	}
	found, doors, err := k.fitting(now.description)
	if err != nil {
		return err
	}
	if k.worker != 0 {
		k.plane.ledger.restarted()
		k.plane.note(func(s *Status) { s.Reloads++; s.Last, s.Why = time.Now(), "whoever runs haproxy did it" })
		k.plane.log.Info("another haproxy answers", "pid", now.worker)
	}
	k.worker, k.running, k.runs = now.worker, now.description, found
	k.listensAt(doors, found.slots)
	return nil
}

// fitting reads the description of a HAProxy that may be attached to: of the
// same realm, at the same addresses, and not of a sidecar with another folder:
// two would undo each other's work. All else can wait for its next reload.
func (k *attached) fitting(text string) (d description, doors []Door, err error) {
	d, ok := readDescription(text)
	doors, fits := described(d.doors, k.plane.opts.doors())
	ours := d.folder == "" || d.folder == k.plane.opts.Data
	if !ok || !fits || !ours || d.realm != k.plane.opts.Realm {
		return d, nil, fmt.Errorf("%w: its description is %q", errForeign, text)
	}
	return d, doors, nil
}

// restructure leaves a configuration for whoever runs HAProxy, and does what it
// lacks until it is reloaded with that.
func (k *attached) restructure(ctx context.Context, _ string) error {
	var why []string
	if k.structure.rest() != k.runs.rest {
		why = append(why, "other options or another version of fairlead")
	}
	if k.detours = k.runs.stale(k.structure.rules); len(k.detours) > 0 {
		why = append(why, "other rules")
	}
	if k.detourRest() {
		why = append(why, whySlots)
	}
	return errors.Join(k.leave(ctx, strings.Join(why, " and ")), k.conform(ctx))
}

// detourRest has services go aside for which there is no slot, if there are any.
func (k *attached) detourRest() (any bool) {
	_, left := assigned(k.farms(), k.has)
	for _, f := range left {
		if !f.aside {
			k.detours[f.service], any = true, true
		}
	}
	return any
}

// leave writes the configuration that HAProxy should have, once, and says so.
func (k *attached) leave(ctx context.Context, why string) error {
	next := k.planned()
	next.rules = k.structure.rules
	next.slots = k.room(next.slots)
	asked := next.description()
	if k.refused.err != nil && k.refused.description == asked {
		return k.refused.err
	}
	if k.next == nil || k.next.description() != asked {
		if err := k.file(ctx, next); err != nil {
			return k.refuse(asked, err)
		}
		k.next = &next
		k.plane.log.Warn("haproxy has to be reloaded by whoever runs it", "socket", k.api.path, "with", k.in.file(configFile), "why", why)
	}
	text := fmt.Sprintf("the haproxy at %s has to be reloaded with %s, because of %s; until then the sidecar itself carries %d of the services",
		k.api.path, k.in.file(configFile), why, len(k.detours))
	k.plane.note(func(s *Status) { s.Warning = text })
	return nil
}

// refuse remembers what there is no use to try again.
func (k *attached) refuse(description string, err error) error {
	err = fmt.Errorf("make another configuration for the haproxy at %s: %w", k.api.path, err)
	if errors.Is(err, ErrRejected) {
		k.refused.description, k.refused.err = description, err
	}
	return err
}

func (k *attached) tend(context.Context) {}

// ended: when it ends, comparisons fail until it is back.
func (k *attached) ended() <-chan struct{} { return nil }

func (k *attached) revive(context.Context) {}

// end leaves HAProxy as it is.
func (k *attached) end() error {
	if k.refused.err == nil {
		k.save()
	}
	k.saved()
	return nil
}

func (k *attached) release() {}
