package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// errNothingKnown says that nobody ever said anything of a service.
var errNothingKnown = fmt.Errorf("%w: nothing is known of it", registry.ErrNoSuchService)

// newServiceCommand shows and changes what is known of a service as a whole.
func newServiceCommand(set *settings) *cobra.Command {
	return family("service", "Show or change what is known of a service: its owner, its policy for callers",
		newServiceShowCommand(set), newServiceSetCommand(set), newServiceUnsetCommand(set))
}

// family is a command that is only there for those below it.
func family(name, short string, members ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short}
	var names []string
	for _, m := range members {
		names = append(names, m.Name())
	}
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(_ *cobra.Command, args []string) error {
		return usagef("%s: must be followed by %s, got %q", name, strings.Join(names, " or "), strings.Join(args, " "))
	}
	c.AddCommand(members...)
	return c
}

// onService completes a command whose first argument is a service.
func (s *settings) onService(c *cobra.Command, run func(context.Context, *connect.Session, registry.ServiceKey, []string) error) *cobra.Command {
	if c.Args == nil {
		c.Args = takes("SERVICE")
	}
	timeout := timeoutFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		key := registry.ServiceKey{Realm: s.realm, Service: args[0]}
		if err := key.Validate(); err != nil {
			return err
		}
		return s.ask(c.Context(), timeout, func(ctx context.Context, session *connect.Session) error {
			return run(ctx, session, key, args[1:])
		})
	}
	return c
}

func newServiceShowCommand(set *settings) *cobra.Command {
	return set.onService(&cobra.Command{
		Use:     "show SERVICE",
		Short:   "Show what is known of a service",
		Example: `  fairlead service show identity -o json`,
	}, func(ctx context.Context, session *connect.Session, key registry.ServiceKey, _ []string) error {
		known, err := set.known(ctx, session, key)
		if err != nil {
			return err
		}
		if known.Meta.IsZero() {
			return fmt.Errorf("%w: %s in realm %s", errNothingKnown, key.Service, key.Realm)
		}
		return set.printKnown(known)
	})
}

// A knownService is what a table says of a service as a whole.
type knownService struct {
	registry.ServiceKey
	Revision registry.Revision `json:"revision"`
	Meta     registry.Meta     `json:"meta"`
}

func (s *settings) known(ctx context.Context, session *connect.Session, key registry.ServiceKey) (knownService, error) {
	snap, _, err := s.snapshot(ctx, session, key.Service)
	known := knownService{ServiceKey: key, Revision: registry.Revision{Epoch: snap.Revision.Epoch}}
	for _, service := range snap.Services {
		if service.Name == key.Service {
			known.Meta, known.Revision.Sequence = service.Meta, service.MetaRevision
		}
	}
	return known, err
}

func (s *settings) printKnown(known knownService) error {
	if s.json() {
		return s.printJSON(known)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "service\t%s\n", known.Service)
	for _, f := range metaFields {
		if value := f.get(&known.Meta); value != "" {
			fmt.Fprintf(w, "%s\t%s\n", f.name, value)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_, err := fmt.Fprintf(s.err, "realm %s, revision %s\n", known.Realm, known.Revision)
	return err
}

func newServiceSetCommand(set *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "set SERVICE",
		Short: "Set what is known of a service; what is not given stays",
		Long: `Set what is known of a service; what is not given stays. It is kept apart from
registrations: it outlives instances and may be set before there is one. Callers
get the policy with their tables. Secrets do not belong here. A file is a JSON
object of all that is to be known; flags beside it change single fields of it.

Rules send requests for the service to other services, by path, by header or by
weight: the first one that matches counts. Sidecars, the bridge and "fairlead
call" follow them; "fairlead explain" tells where they lead.

These flags are not looked up in the environment.`,
		Example: `  fairlead service set identity --owner accounts --description 'Who people are'
  fairlead service set identity --call-timeout 2s --attempts 3
  fairlead service set identity --rules '[{"split":[{"service":"identity","weight":95},{"service":"identity-next","weight":5}]}]'
  fairlead service set identity -f identity.json`,
	}
	given := map[string]*string{}
	file := c.Flags().StringP("file", "f", "", "file of all that is to be known, as JSON; - is standard input")
	for _, f := range metaFields {
		given[f.name] = c.Flags().String(f.name, "", f.usage)
	}
	return set.onService(c, func(ctx context.Context, session *connect.Session, key registry.ServiceKey, _ []string) error {
		whole, err := set.readMeta(*file)
		if err != nil {
			return err
		}
		return set.revise(ctx, session, key, func(m *registry.Meta) error {
			changed := whole != nil
			if whole != nil {
				*m = *whole
			}
			for _, f := range metaFields {
				if !set.onCommandLine(c, f.name) {
					continue
				}
				changed = true
				if err := f.set(m, *given[f.name]); err != nil {
					return err
				}
			}
			if !changed {
				return usagef("set: at least one of its flags must be given")
			}
			return m.Validate()
		})
	})
}

// readMeta reads a file of metadata; of none it returns nil.
func (s *settings) readMeta(file string) (*registry.Meta, error) {
	if file == "" {
		return nil, nil
	}
	text, err := s.readText("file", "@"+file)
	if err != nil {
		return nil, err
	}
	m, err := registry.DecodeMeta(text)
	return &m, err
}

func newServiceUnsetCommand(set *settings) *cobra.Command {
	return set.onService(&cobra.Command{
		Use:   "unset SERVICE [FIELD...]",
		Short: "Forget what is known of a service, all of it or some fields",
		Example: `  fairlead service unset identity try-timeout
  fairlead service unset identity`,
		Args: takes("SERVICE", "[FIELD...]"),
	}, func(ctx context.Context, session *connect.Session, key registry.ServiceKey, fields []string) error {
		return set.revise(ctx, session, key, func(m *registry.Meta) error { return clearMeta(m, fields) })
	})
}

func clearMeta(m *registry.Meta, fields []string) error {
	if len(fields) == 0 {
		*m = registry.Meta{}
	}
	for _, name := range fields {
		at := slices.IndexFunc(metaFields, func(f metaField) bool { return f.name == name })
		if at < 0 {
			return usagef("FIELD: must be one of %s, got %q", strings.Join(metaNames(), ", "), name)
		}
		if err := metaFields[at].set(m, ""); err != nil {
			return err
		}
	}
	return nil
}

// revisions bounds how often a change is made anew because somebody else
// changed something meanwhile.
const revisions = 5

// revise changes what is known of a service, on top of what is known now.
func (s *settings) revise(ctx context.Context, session *connect.Session, key registry.ServiceKey, change func(*registry.Meta) error) error {
	for n := 1; ; n++ {
		known, err := s.known(ctx, session, key)
		if err != nil {
			return err
		}
		before := known.Revision
		if err := change(&known.Meta); err != nil {
			return err
		}
		next := &known.Meta
		if known.Meta.IsZero() {
			next = nil
		}
		known.Revision, err = session.Atlas().SetMeta(ctx, key, next, &before)
		if errors.Is(err, registry.ErrRevision) && n < revisions {
			continue
		}
		if err != nil {
			return err
		}
		return s.toldKnown(known)
	}
}

func (s *settings) toldKnown(known knownService) error {
	if s.json() {
		return s.printJSON(known)
	}
	_, err := io.WriteString(s.out, toldOf(known)+"\n")
	return err
}

func toldOf(known knownService) string {
	switch {
	case known.Revision.Sequence == 0:
		return known.ServiceKey.String() + ": nothing was known"
	case known.Meta.IsZero():
		return fmt.Sprintf("%s: nothing is known any more as of revision %s", known.ServiceKey, known.Revision)
	}
	return fmt.Sprintf("%s is known as of revision %s", known.ServiceKey, known.Revision)
}
