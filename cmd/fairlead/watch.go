package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// newWatchCommand follows the routing table and prints what changes.
func newWatchCommand(set *settings) *cobra.Command {
	var changesOnly bool
	c := &cobra.Command{
		Use:   "watch [SERVICE]",
		Short: "Print every change of the routing table as it comes",
		Long: `Print every change of the routing table as it comes, until Ctrl-C. It begins
with what is there. Changes of one instance that come in the same few
milliseconds are one line. A line without an instance is of what is known of the
service: its owner, its policy for callers, its rules.`,
		Example: `  fairlead watch
  fairlead watch identity --changes-only -o json | jq .`,
		Args: takes("[SERVICE]"),
	}
	timeout := timeoutFlag(c)
	c.Flags().BoolVar(&changesOnly, "changes-only", false, "leave out what is there already")
	c.RunE = func(c *cobra.Command, args []string) error {
		opts := connect.Options{WholeRealm: len(args) == 0, Services: args}
		if _, err := optionalService(args); err != nil {
			return err
		}
		return set.watch(c.Context(), opts, timeout, changesOnly)
	}
	return c
}

func (s *settings) watch(ctx context.Context, opts connect.Options, timeout *span, changesOnly bool) (err error) {
	session, err := s.dial(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSession(session)) }()
	if err := firstTable(ctx, session, timeout); err != nil {
		return err
	}
	shown, newer := session.Table().Table()
	fmt.Fprintln(s.err, "watching "+s.watched(opts, shown))
	if !changesOnly {
		err = s.printDifferences(differences(registry.NewTable(s.realm, ""), shown, presentEvent))
	}
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-newer:
		}
		before := shown
		shown, newer = session.Table().Table()
		err = s.printDifferences(differences(before, shown, registeredEvent))
	}
	return err
}

// watched says what is followed, so that silence is no riddle.
func (s *settings) watched(opts connect.Options, t *registry.Table) string {
	if opts.WholeRealm {
		return fmt.Sprintf("realm %s (%s)", s.realm, counted(t.Len(), "instance"))
	}
	name := opts.Services[0]
	return fmt.Sprintf("service %s in realm %s (%s)", name, s.realm, counted(t.Service(name).Len(), "instance"))
}

// firstTable waits for the registry's first answer.
func firstTable(ctx context.Context, session *connect.Session, timeout *span) error {
	ctx, cancel := timeout.bound(ctx)
	defer cancel()
	return session.Table().Ready(ctx)
}

func (s *settings) printDifferences(all []difference) error {
	now := time.Now()
	for _, d := range all {
		d.Time, d.Realm = now, s.realm
		if err := s.printDifference(d); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

// printDifference writes a line at once: whoever reads it may wait for it.
func (s *settings) printDifference(d difference) error {
	if s.json() {
		return json.NewEncoder(s.out).Encode(d)
	}
	_, err := fmt.Fprintln(s.out, d)
	return err
}
