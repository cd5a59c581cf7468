package main

import "github.com/spf13/cobra"

// commands are all of them, in the order in which they are listed.
func commands(set *settings) []*cobra.Command {
	return []*cobra.Command{
		newUpCommand(set),
		newServerCommand(set),
		newSidecarCommand(set),
	}
}
