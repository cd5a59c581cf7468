package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// An override is an operator's word on one instance, ready to be said.
type override struct {
	key registry.Key
	// kind is the last part of its key in the bucket: "enabled".
	kind  string
	value any
	// clears tells that one is taken away.
	clears bool
	// means is what the instance is by it: "disabled".
	means string
	send  func(context.Context, registry.Atlas) (registry.Revision, error)
}

// overrideReply is what the commands print for programs.
type overrideReply struct {
	registry.Key
	Override string            `json:"override"`
	Value    any               `json:"value"`
	Revision registry.Revision `json:"revision"`
}

// newOverride checks what is about to be said; set is the method that says it.
func newOverride[T interface{ Validate() error }](
	key registry.Key, kind, means string, value *T,
	set func(registry.Atlas, context.Context, registry.Key, *T) (registry.Revision, error),
) (override, error) {
	o := override{key: key, kind: kind, means: means, value: value, clears: value == nil}
	o.send = func(ctx context.Context, atlas registry.Atlas) (registry.Revision, error) {
		return set(atlas, ctx, key, value)
	}
	if value == nil {
		return o, nil
	}
	return o, (*value).Validate()
}

// overriding completes a command by how it reads its arguments: the instance,
// and what follows. Nothing is sent unless all of them are good.
func (s *settings) overriding(c *cobra.Command, read func(key registry.Key, rest []string) (override, error)) *cobra.Command {
	if c.Args == nil {
		c.Args = takes("SERVICE", "INSTANCE")
	}
	timeout := timeoutFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		key := registry.Key{Realm: s.realm, Service: args[0], Instance: args[1]}
		if err := key.Validate(); err != nil {
			return err
		}
		o, err := read(key, args[2:])
		if err != nil {
			return err
		}
		return s.ask(c.Context(), timeout, func(ctx context.Context, session *connect.Session) error {
			return s.override(ctx, session, o)
		})
	}
	return c
}

func (s *settings) override(ctx context.Context, session *connect.Session, o override) error {
	revision, err := o.send(ctx, session.Atlas())
	if err != nil {
		return err
	}
	s.noteAbsent(ctx, session, o)
	switch {
	case s.json():
		return s.printJSON(overrideReply{o.key, o.kind, o.value, revision})
	case revision.Sequence == 0:
		_, err = fmt.Fprintf(s.out, "%s: nothing was set\n", o.key)
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s is %s as of revision %s\n", o.key, o.means, revision)
	return err
}

// noteAbsent tells of a name that is perhaps mistyped. Overrides may be set
// before there is an instance, so it is no error.
func (s *settings) noteAbsent(ctx context.Context, session *connect.Session, o override) {
	snap, _, err := s.snapshot(ctx, session, o.key.Service)
	if err != nil {
		return
	}
	for _, row := range instanceRows(snap) {
		if row.ID == o.key.Instance {
			return
		}
	}
	note := "this will hold once it is"
	if o.clears {
		note = "is the name right?"
	}
	fmt.Fprintf(s.err, "note: %s is not registered now; %s\n", o.key, note)
}

// A signature tells who says something, and why.
type signature struct{ owner, reason string }

func (s *signature) add(c *cobra.Command) {
	c.Flags().StringVar(&s.owner, "owner", "", "who says so (default: the user who is logged in)")
	c.Flags().StringVar(&s.reason, "reason", "", "why, for whoever looks at it later")
}

func (s *signature) whoever() string { return cmp.Or(s.owner, os.Getenv("USER"), loginName()) }

func loginName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
