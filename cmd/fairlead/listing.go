package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"fairlead.dev/bus"
	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/registry/cache"
)

// An origin tells where a listing comes from and as of when.
type origin struct {
	Realm    string               `json:"realm"`
	Source   registry.TableSource `json:"source"`
	Revision registry.Revision    `json:"revision"`
	// AgeMS is how long ago it was last known to be current.
	AgeMS int64 `json:"age_ms"`
}

func (o origin) String() string {
	age := (time.Duration(o.AgeMS) * time.Millisecond).Round(time.Second)
	return fmt.Sprintf("realm %s, revision %s, %s, age %s", o.Realm, o.Revision, o.Source, age)
}

// snapshot asks the registry itself, so what it says is of now.
func (s *settings) snapshot(ctx context.Context, session *connect.Session, service string) (registry.Snapshot, origin, error) {
	snap, err := session.Atlas().Snapshot(ctx, registry.Interest{Realm: s.realm, Service: service})
	return snap, origin{Realm: s.realm, Source: registry.Live, Revision: snap.Revision}, err
}

// recall is what a program of this user and host has kept of a realm, for
// when the registry does not answer. The error is then why it does not.
func (s *settings) recall(service string, unavailable error) (registry.Snapshot, origin, error) {
	dir := connect.CacheDir(s.cache, cmp.Or(s.natsURL, bus.DefaultURL))
	if dir == "" || !errors.Is(unavailable, registry.ErrUnavailable) {
		return registry.Snapshot{}, origin{}, unavailable
	}
	saved, err := cache.New(cache.Options{Dir: dir, Logger: s.logger()}).Load(registry.Interest{Realm: s.realm, Service: service})
	if err != nil {
		return registry.Snapshot{}, origin{}, unavailable
	}
	fmt.Fprintf(s.err, "the registry does not answer, this is what was kept of it: %v\n", unavailable)
	return saved.Snapshot, origin{
		Realm: s.realm, Source: registry.Cached, Revision: saved.Revision, AgeMS: time.Since(saved.Confirmed).Milliseconds(),
	}, nil
}

// askOrRecall shows what the registry says, or else what was kept of it.
func (s *settings) askOrRecall(ctx context.Context, timeout *span, service string, show func(registry.Snapshot, origin) error) error {
	var snap registry.Snapshot
	var from origin
	err := s.ask(ctx, timeout, func(ctx context.Context, session *connect.Session) (err error) {
		snap, from, err = s.snapshot(ctx, session, service)
		return err
	})
	if err != nil {
		if snap, from, err = s.recall(service, err); err != nil {
			return err
		}
	}
	return show(snap, from)
}

// list prints a listing: JSON for programs; for people a table, and beside it
// where that comes from.
func (s *settings) list(listing any, from origin, table func(io.Writer)) error {
	if s.json() {
		return s.printJSON(listing)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	table(w)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	fmt.Fprintln(s.err, from)
	return nil
}

func (s *settings) printJSON(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// since is an age in two units at most, as people read it.
func since(then, now time.Time) string {
	if then.IsZero() {
		return "-"
	}
	age := max(now.Sub(then), 0)
	switch {
	case age < time.Minute:
		return fmt.Sprintf("%ds", int(age.Seconds()))
	case age < time.Hour:
		return fmt.Sprintf("%dm%ds", int(age.Minutes()), int(age.Seconds())%60)
	case age < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(age.Hours()), int(age.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(age.Hours())/24, int(age.Hours())%24)
}

// counted puts a number before a word.
func counted(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return strconv.Itoa(n) + " " + word
}

// dash stands in an empty cell, so that columns can be counted.
func dash(cell string) string {
	if cell == "" {
		return "-"
	}
	return cell
}
