package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/sidecar"
	"fairlead.dev/sidecar/httpserver"
	"fairlead.dev/sidecar/roster"
	"fairlead.dev/sidecar/takeover"
)

// upgradeSignal has a sidecar be replaced. It is not SIGHUP, which terminals
// send when they are closed.
const upgradeSignal = syscall.SIGUSR2

const (
	// tableWithin bounds the wait for a table of a sidecar that takes over. The
	// one before it has a table, and goes on if this one gets none.
	tableWithin = 15 * time.Second
	// upgradeWithin bounds the start of a successor.
	upgradeWithin = 2 * tableWithin
)

// A hostLife is that of a sidecar on its host: it may take over from one before
// it, and hand over to one of a newer version.
type hostLife struct {
	set     *settings
	process *takeover.Process
	session *connect.Session
	carrier carrier
	car     *sidecar.Sidecar
	roster  *roster.Roster // nil: nothing is declared
	// others run as long as the sidecar does.
	others []func(context.Context) error
	// asked has a value when an upgrade is asked for.
	asked <-chan os.Signal

	readyFile string
	began     time.Time
	address   atomic.Pointer[string] // the sidecar's, once it listens
}

// run returns when ctx has ended or a successor has taken over, and what was in
// flight is finished.
func (l *hostLife) run(ctx context.Context) error {
	if err := l.awaitTable(ctx); err != nil {
		return err
	}
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	group, running := errgroup.WithContext(running)
	for _, part := range append(l.others, l.car.Run) {
		group.Go(func() error { return part(running) })
	}
	group.Go(func() error { return l.process.Watch(running, l.isWell) })
	group.Go(func() error { return l.serve(ctx, running, end) })
	err := group.Wait()
	if handedOver(running) {
		return err
	}
	return errors.Join(err, removeReady(l.readyFile))
}

func handedOver(running context.Context) bool {
	var handover *httpserver.Handover
	return errors.As(context.Cause(running), &handover)
}

// awaitTable has a sidecar that takes over start with a table.
func (l *hostLife) awaitTable(ctx context.Context) error {
	if !l.process.Succeeds() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tableWithin)
	defer cancel()
	if err := l.session.Table().Ready(ctx); err != nil {
		return fmt.Errorf("the sidecar before this one goes on: %w", err)
	}
	return nil
}

// serve tells that the sidecar is ready, attends what is declared, and hands
// everything over when it is asked to.
func (l *hostLife) serve(ctx, running context.Context, end context.CancelCauseFunc) error {
	if err := l.tell(running); err != nil {
		return unlessEnded(running, err)
	}
	attending, leave := context.WithCancel(running)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer leave()
	if l.roster != nil {
		tasks.Go(func() { _ = l.roster.Run(attending) })
	}
	if l.awaitSuccessor(running) {
		// Its successor registers what is declared once this one has let go.
		leave()
		tasks.Wait()
		end(&httpserver.Handover{Until: ctx})
		l.process.Release()
		return nil
	}
	return l.process.Stopping()
}

// tell tells everybody that the sidecar is ready, once it is.
func (l *hostLife) tell(ctx context.Context) error {
	r, err := l.carrier.ready(ctx)
	if err != nil {
		return err
	}
	l.address.Store(&r.Sidecar)
	if err := r.write(l.readyFile); err != nil {
		return err
	}
	if err := l.process.Ready(ctx); err != nil {
		return err
	}
	return announce(l.set, r, time.Since(l.began))
}

// unlessEnded leaves out the errors of an end that was asked for.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// awaitSuccessor tells whether there is one; there is none when running ends.
func (l *hostLife) awaitSuccessor(running context.Context) bool {
	for {
		select {
		case <-running.Done():
			return false
		case <-l.asked:
		}
		if l.upgrade(running) {
			return true
		}
	}
}

// upgrade tells whether there is a successor now. Who asks for one meanwhile is
// not heard: that would be another upgrade, to the same program, once this one
// is over.
func (l *hostLife) upgrade(running context.Context) bool {
	done := make(chan bool, 1)
	go func() { done <- l.startSuccessor(running) }()
	for {
		select {
		case started := <-done:
			return started
		case <-l.asked:
			l.set.logger().Warn("ignored: an upgrade is under way already")
		}
	}
}

func (l *hostLife) startSuccessor(running context.Context) bool {
	if !l.carrier.inherits {
		l.set.logger().Error("not upgraded: restart the sidecar instead, haproxy carries on meanwhile if it runs with --keep-haproxy")
		return false
	}
	ctx, cancel := context.WithTimeout(running, upgradeWithin)
	defer cancel()
	if err := l.process.Upgrade(ctx, l.followed()); err != nil {
		l.set.logger().Error("not upgraded, this sidecar goes on", "error", err)
		return false
	}
	return true
}

// upgrades returns who asks for upgrades, from the start of a process to its
// end: the signal would kill one that is still starting, or that only finishes
// what is in flight.
func upgrades() (asked <-chan os.Signal, forget func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, upgradeSignal)
	return signals, func() { signal.Stop(signals) }
}

// followed are the services that a successor should know from the start.
func (l *hostLife) followed() string {
	table, _ := l.session.Table().Table()
	return namesWithin(mostState, table)
}

// mostState is safely below what one variable of a process's environment may
// have, 128 KiB on Linux: with more no successor could be started.
const mostState = 64 << 10

// namesWithin joins the names of a table's services, as many as have room. The
// others are followed again from their next use.
func namesWithin(most int, table *registry.Table) string {
	var names strings.Builder
	for s := range table.Services() {
		if names.Len()+len(s.Name)+1 > most {
			break
		}
		names.WriteString(s.Name + ",")
	}
	return strings.TrimSuffix(names.String(), ",")
}

// isWell asks the sidecar at its own address, as others do.
func (l *hostLife) isWell(ctx context.Context) error {
	address := l.address.Load()
	if address == nil {
		return nil // it is still starting
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, *address+"/status", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	switch {
	case err != nil && l.carrier.excused():
		return nil // a restart would cut everybody off, or mend nothing
	case err != nil:
		return fmt.Errorf("the sidecar does not answer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the sidecar answers %s", response.Status)
	}
	return nil
}
