package main

import (
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/registry"
)

// newEnableCommand lets an instance be used again.
func newEnableCommand(set *settings) *cobra.Command {
	var by signature
	var clear bool
	c := &cobra.Command{
		Use:   "enable SERVICE INSTANCE",
		Short: "Let an instance be used (again)",
		Example: `  fairlead enable identity host001-5000
  fairlead enable identity host001-5000 --clear   # as if it had never been switched off`,
	}
	by.add(c)
	c.Flags().BoolVar(&clear, "clear", false, "take the flag away instead of setting it; no flag means enabled")
	return set.overriding(c, func(key registry.Key, _ []string) (override, error) {
		if clear {
			return flagOverride(key, "enabled, without a flag,", nil)
		}
		return flagOverride(key, "enabled", &registry.Flag{Enabled: true, Owner: by.whoever(), Reason: by.reason})
	})
}

// newDisableCommand keeps an instance from being used.
func newDisableCommand(set *settings) *cobra.Command {
	var by signature
	var until string
	c := &cobra.Command{
		Use:   "disable SERVICE INSTANCE",
		Short: "Keep an instance from being used, whatever its health",
		Long: `Keep an instance from being used, whatever its health.

The flag is kept apart from the registration: it outlives restarts of the
instance and of the registry, and can be set before there is an instance.`,
		Example: `  fairlead disable identity host001-5000 --reason 'bad disk'
  fairlead disable identity host001-5000 --until 2h`,
	}
	by.add(c)
	c.Flags().StringVar(&until, "until", "", "end by itself after a duration (2h) or at a time (2030-01-31T18:00:00Z)")
	return set.overriding(c, func(key registry.Key, _ []string) (override, error) {
		end, err := parseUntil(until, time.Now())
		if err != nil {
			return override{}, err
		}
		return flagOverride(key, "disabled", &registry.Flag{Owner: by.whoever(), Reason: by.reason, Until: end})
	})
}

func flagOverride(key registry.Key, means string, flag *registry.Flag) (override, error) {
	return newOverride(key, "enabled", means, flag, registry.Atlas.SetFlag)
}

// parseUntil reads a duration from now on, or a time that is still to come.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	end, err := time.Parse(time.RFC3339, text)
	if d, notDuration := time.ParseDuration(text); notDuration == nil {
		end, err = now.Add(d).UTC().Round(time.Second), nil
	}
	switch {
	case err != nil:
		return time.Time{}, usagef("--until: must be a duration like 2h or a time like 2030-01-31T18:00:00Z, got %q", text)
	case !end.After(now):
		return time.Time{}, usagef("--until: must be in the future, got %q", text)
	}
	return end, nil
}
