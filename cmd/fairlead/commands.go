package main

import "github.com/spf13/cobra"

// commands are all of them, in the order in which they are listed.
func commands(set *settings) []*cobra.Command {
	return []*cobra.Command{
		newUpCommand(set),
		newServerCommand(set),
		newSidecarCommand(set),
		newRunCommand(set),
		newServicesCommand(set),
		newServiceCommand(set),
		newInstancesCommand(set),
		newExplainCommand(set),
		newSettingsCommand(set),
		newWatchCommand(set),
		newCallCommand(set),
		newEnableCommand(set),
		newDisableCommand(set),
		newDrainCommand(set),
		newWeightCommand(set),
		newDoctorCommand(set),
		newInitCommand(set),
		newCredentialsCommand(set),
		newNATSContextCommand(set),
		newDemoCommand(set),
		newVersionCommand(set),
		newExampleCommand(set),
	}
}
