package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// newSettingsCommand lists and changes the settings of services.
func newSettingsCommand(set *settings) *cobra.Command {
	return family("settings", "List or change the settings that a service reads (not for secrets)",
		newSettingsListCommand(set), newSettingsSetCommand(set), newSettingsUnsetCommand(set))
}

func newSettingsListCommand(set *settings) *cobra.Command {
	return set.onService(&cobra.Command{
		Use:     "list SERVICE",
		Short:   "List the settings of a service",
		Example: `  fairlead settings list identity -o json`,
	}, func(ctx context.Context, session *connect.Session, key registry.ServiceKey, _ []string) error {
		all, err := session.Atlas().Settings(ctx, key)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(all.Invalid)) {
			fmt.Fprintf(set.err, "note: %s does not count: %s\n", name, all.Invalid[name])
		}
		return set.list(struct {
			registry.ServiceKey
			registry.Settings
		}{key, all}, origin{Realm: key.Realm, Source: registry.Live, Revision: all.Revision}, func(w io.Writer) {
			fmt.Fprintln(w, "NAME\tVALUE\tREVISION")
			for _, s := range all.Settings {
				fmt.Fprintf(w, "%s\t%q\t%d\n", s.Name, s.Value, s.Revision)
			}
		})
	})
}

func newSettingsSetCommand(set *settings) *cobra.Command {
	return set.onService(&cobra.Command{
		Use:   "set SERVICE NAME VALUE",
		Short: "Set a setting; the service hears of it at once",
		Long: `Set a setting; the service hears of it at once. A name is like an environment
variable's, a value at most 4 KiB of text, and a service has at most 64. Settings
are no place for secrets: whoever may read a service's settings gets all of them.`,
		Example: `  fairlead settings set identity GREETING 'Good day'`,
		Args:    takes("SERVICE", "NAME", "VALUE"),
	}, func(ctx context.Context, session *connect.Session, key registry.ServiceKey, args []string) error {
		return set.configure(ctx, session, key, args[0], &args[1])
	})
}

func newSettingsUnsetCommand(set *settings) *cobra.Command {
	return set.onService(&cobra.Command{
		Use:   "unset SERVICE NAME",
		Short: "Take a setting away; the service goes back to its default",
		Args:  takes("SERVICE", "NAME"),
	}, func(ctx context.Context, session *connect.Session, key registry.ServiceKey, args []string) error {
		return set.configure(ctx, session, key, args[0], nil)
	})
}

func (s *settings) configure(ctx context.Context, session *connect.Session, key registry.ServiceKey, name string, value *string) error {
	// Told here, a mistake does not begin with what was to be done.
	if err := (registry.Setting{Name: name, Value: *cmp.Or(value, new(string))}).Validate(); err != nil {
		return err
	}
	revision, err := session.Atlas().Configure(ctx, key, name, value)
	switch {
	case err != nil:
		return err
	case s.json():
		return s.printJSON(struct {
			registry.ServiceKey
			Name     string            `json:"name"`
			Value    *string           `json:"value"`
			Revision registry.Revision `json:"revision"`
		}{key, name, value, revision})
	case revision.Sequence == 0:
		_, err = fmt.Fprintf(s.out, "%s %s: nothing was set\n", key, name)
	case value == nil:
		_, err = fmt.Fprintf(s.out, "%s %s is taken away as of revision %s\n", key, name, revision)
	default:
		_, err = fmt.Fprintf(s.out, "%s %s is set as of revision %s\n", key, name, revision)
	}
	return err
}
