package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// takes has a command take the arguments named: NAME must be there, [NAME] may
// be, and after [NAME...] anything may follow.
func takes(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if problem := argumentProblem(names, args); problem != "" {
			return usagef("%s: %s; usage: %s", c.Name(), problem, c.UseLine())
		}
		return nil
	}
}

func argumentProblem(names, args []string) string {
	for i, name := range names {
		switch {
		case strings.HasSuffix(name, "...]"):
			return ""
		case i >= len(args) && !strings.HasPrefix(name, "["):
			return name + " is missing"
		}
	}
	switch {
	case len(args) <= len(names):
		return ""
	case len(names) == 0:
		return "takes no arguments, got " + strings.Join(args, " ")
	}
	return "takes " + strings.Join(names, " ") + ", got also " + strings.Join(args[len(names):], " ")
}

// newHelpCommand explains a command by its name. It needs no settings.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "help [COMMAND]",
		Short:             "Explain a command",
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(c *cobra.Command, args []string) error {
			about, _, err := c.Root().Find(args)
			if err != nil {
				return err
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// helpFor returns the command that explains what args call.
func helpFor(root *cobra.Command, args []string) string {
	called, _, err := root.Find(args)
	if err != nil {
		called = root
	}
	return root.Name() + " help" + strings.TrimPrefix(called.CommandPath(), root.Name())
}

const unknownCommand = "unknown command "

// explainCommand puts on one line what cobra says of a command that is not
// there, and marks it as the mistake of usage that it is.
func explainCommand(root *cobra.Command, err error) error {
	if err == nil || !strings.HasPrefix(err.Error(), unknownCommand) {
		return err
	}
	quoted, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), unknownCommand), ` for "`+root.Name()+`"`)
	near := root.SuggestionsFor(strings.Trim(quoted, `"`))
	if len(near) == 0 {
		return usagef("%s%s", unknownCommand, quoted)
	}
	return usagef("%s%s; did you mean %s?", unknownCommand, quoted, strings.Join(near, " or "))
}
