package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// tablesWatched is how many routing tables, each with a connection of its own,
// a change has to reach.
const tablesWatched = 10

// tables are the routing tables by which changes are timed: half follow the
// whole realm as sidecars do, half one service as clients do.
type tables struct {
	sessions []*connect.Session
}

func openTables(ctx context.Context, natsURL string, log *slog.Logger) (*tables, error) {
	t := &tables{}
	for i := range tablesWatched {
		s, err := connect.Open(ctx, connect.Options{
			Realm: realmName, NATSURL: natsURL, Name: fmt.Sprintf("demo-table-%d", i), Cache: connect.NoCache, Logger: log,
			WholeRealm: i%2 == 0, Services: []string{identity, gateway, foreign},
		})
		if err != nil {
			return t, err
		}
		t.sessions = append(t.sessions, s)
	}
	return t, nil
}

func (t *tables) close(ctx context.Context) error {
	var errs []error
	for _, s := range t.sessions {
		errs = append(errs, s.Close(ctx))
	}
	return errors.Join(errs...)
}

// reach waits until every table fulfils a condition, and returns when the last
// one did.
func (t *tables) reach(ctx context.Context, what string, ok func(*registry.Table) bool) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	type arrival struct {
		at  time.Time
		err error
	}
	arrivals := make(chan arrival, len(t.sessions))
	for _, s := range t.sessions {
		go func() {
			at, err := await(ctx, s.Table(), ok)
			arrivals <- arrival{at, err}
		}()
	}
	var last time.Time
	var failure error
	for range t.sessions {
		a := <-arrivals
		failure = errors.Join(failure, a.err)
		if a.at.After(last) {
			last = a.at
		}
	}
	if failure != nil {
		return last, fmt.Errorf("%s did not reach every table: %w", what, failure)
	}
	return last, nil
}

func await(ctx context.Context, w registry.Watcher, ok func(*registry.Table) bool) (time.Time, error) {
	for {
		table, newer := w.Table()
		if ok(table) {
			return time.Now(), nil
		}
		select {
		case <-newer:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

func find(t *registry.Table, service, id string) (registry.Instance, bool) {
	return t.Service(service).Instance(id)
}

// takes is the condition that an instance takes requests.
func takes(service, id string) func(*registry.Table) bool {
	return func(t *registry.Table) bool {
		in, found := find(t, service, id)
		return found && in.Usable() && in.Status == registry.Passing
	}
}

// spared is the condition that an instance gets no requests: it is disabled,
// drains or has left.
func spared(service, id string) func(*registry.Table) bool {
	return func(t *registry.Table) bool {
		in, found := find(t, service, id)
		return !found || !in.Usable()
	}
}

func gone(service, id string) func(*registry.Table) bool {
	return func(t *registry.Table) bool {
		_, found := find(t, service, id)
		return !found
	}
}

// reborn is the condition that another life of an instance takes requests.
func reborn(service, id, before string) func(*registry.Table) bool {
	return func(t *registry.Table) bool {
		in, found := find(t, service, id)
		return found && in.Incarnation != before && in.Status == registry.Passing
	}
}

// every is the condition that all conditions hold.
func every(conditions ...func(*registry.Table) bool) func(*registry.Table) bool {
	return func(t *registry.Table) bool {
		for _, ok := range conditions {
			if !ok(t) {
				return false
			}
		}
		return true
	}
}
