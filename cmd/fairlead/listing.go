package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// An origin tells where a listing comes from and as of when.
type origin struct {
	Realm    string               `json:"realm"`
	Source   registry.TableSource `json:"source"`
	Revision registry.Revision    `json:"revision"`
}

func (o origin) String() string {
	return fmt.Sprintf("realm %s, revision %s, %s", o.Realm, o.Revision, o.Source)
}

// snapshot asks the registry itself, so what it says is of now.
func (s *settings) snapshot(ctx context.Context, session *connect.Session, service string) (registry.Snapshot, origin, error) {
	snap, err := session.Atlas().Snapshot(ctx, registry.Interest{Realm: s.realm, Service: service})
	return snap, origin{Realm: s.realm, Source: registry.Live, Revision: snap.Revision}, err
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
