package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"fairlead.dev/registry"
)

// newWeightCommand changes an instance's share of requests.
func newWeightCommand(set *settings) *cobra.Command {
	var by signature
	var clear bool
	c := &cobra.Command{
		Use:   "weight SERVICE INSTANCE {WEIGHT | --clear}",
		Short: "Change an instance's share of requests, 1 to 1000",
		Example: `  fairlead weight identity host001-5000 10
  fairlead weight identity host001-5000 --clear`,
		Args: takes("SERVICE", "INSTANCE", "[WEIGHT]"),
	}
	by.add(c)
	c.Flags().BoolVar(&clear, "clear", false, "go back to the weight that the instance registered with")
	return set.overriding(c, func(key registry.Key, rest []string) (override, error) {
		switch {
		case clear && len(rest) == 0:
			return weightOverride(key, "back at its own weight", nil)
		case clear || len(rest) == 0:
			return override{}, usagef("weight: must be given, or --clear instead of it")
		}
		n, err := strconv.Atoi(rest[0])
		if err != nil {
			return override{}, usagef("weight: must be a whole number, got %q", rest[0])
		}
		return weightOverride(key, "at weight "+rest[0], &registry.Weight{Weight: n, Owner: by.whoever(), Reason: by.reason})
	})
}

func weightOverride(key registry.Key, means string, weight *registry.Weight) (override, error) {
	return newOverride(key, "weight", means, weight, registry.Atlas.SetWeight)
}
