package main

import (
	"github.com/spf13/cobra"

	"fairlead.dev/registry"
)

// newDrainCommand gives an instance no new requests.
func newDrainCommand(set *settings) *cobra.Command {
	var by signature
	var off bool
	c := &cobra.Command{
		Use:   "drain SERVICE INSTANCE",
		Short: "Give an instance no new requests; those in flight finish",
		Example: `  fairlead drain identity host001-5000
  fairlead drain identity host001-5000 --off`,
	}
	by.add(c)
	c.Flags().BoolVar(&off, "off", false, "give it requests again")
	return set.overriding(c, func(key registry.Key, _ []string) (override, error) {
		if off {
			return drainOverride(key, "not draining", nil)
		}
		return drainOverride(key, "draining", &registry.Drain{Drain: true, Owner: by.whoever(), Reason: by.reason})
	})
}

func drainOverride(key registry.Key, means string, drain *registry.Drain) (override, error) {
	return newOverride(key, "drain", means, drain, registry.Atlas.SetDrain)
}
