package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fairlead.dev/smartclient"
)

const environmentPrefix = "FAIRLEAD_"

// environmentName returns the variable of a flag for all commands that have
// it: nats-url in FAIRLEAD_NATS_URL.
func environmentName(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// These annotate a flag whose variable for all commands means something else:
// what is looked up in its place, and that it is still understood.
const (
	otherVariables = "fairlead_other_variables"
	formerVariable = "fairlead_former_variable"
)

// lookUp names what is looked up for a flag in place of FAIRLEAD_FLAG, after
// FAIRLEAD_COMMAND_FLAG.
func lookUp(flags *pflag.FlagSet, flag string, variables ...string) {
	_ = flags.SetAnnotation(flag, otherVariables, variables) // fails only for no flag
}

// lookUpFormer has FAIRLEAD_FLAG still be looked up, at last and with a note.
func lookUpFormer(flags *pflag.FlagSet, flag string) {
	_ = flags.SetAnnotation(flag, formerVariable, []string{environmentName(flag)})
}

// variables are where a flag's value is looked up; the first that is set
// counts. For "fairlead sidecar --realm" that is FAIRLEAD_SIDECAR_REALM, which
// is for this command alone, and then FAIRLEAD_REALM.
func variables(c *cobra.Command, f *pflag.Flag) []string {
	names := []string{environmentName(topmost(c).Name() + "-" + f.Name)}
	if others, has := f.Annotations[otherVariables]; has {
		return slices.Concat(names, others, f.Annotations[formerVariable])
	}
	return append(names, environmentName(f.Name))
}

// topmost returns the command just below the root: a family shares its name.
func topmost(c *cobra.Command) *cobra.Command {
	for c.HasParent() && c.Parent().HasParent() {
		c = c.Parent()
	}
	return c
}

// fillFlags gives the flags that were not set on the command line their value
// from the environment, or else from the file, and remembers where each came
// from.
func (s *settings) fillFlags(c *cobra.Command, lookup func(string) (string, bool)) error {
	s.sources = map[string]string{}
	file := s.config
	if file == "" {
		name := environmentName("config")
		if file, _ = lookup(name); file != "" {
			s.sources["config"] = name + " in the environment"
		}
	}
	values, err := readSettings(file, flagNames(c.Root()))
	if err != nil {
		return err
	}
	var problem error
	c.Flags().VisitAll(func(f *pflag.Flag) {
		found, ok := find(variables(c, f), file, values, lookup)
		if !ok || f.Changed || problem != nil || f.Name == "help" {
			return
		}
		s.sources[f.Name] = found.source
		s.noteFormer(c, f, found.name)
		if err := c.Flags().Set(f.Name, found.value); err != nil {
			// What is wrapped in it is the problem; around that is the flag.
			problem = usagef("%s: %w", found.source, cmp.Or(errors.Unwrap(err), err))
		}
	})
	return problem
}

// noteFormer tells who still uses a variable that is meant for others.
func (s *settings) noteFormer(c *cobra.Command, f *pflag.Flag, name string) {
	if slices.Contains(f.Annotations[formerVariable], name) {
		fmt.Fprintf(s.err, "note: %s is taken for --%s, but means something else to others; set %s instead\n", name, f.Name, variables(c, f)[0])
	}
}

// A variable that was found, and where.
type variable struct{ name, value, source string }

// find looks variables up, all in the environment first.
func find(names []string, file string, values map[string]string, lookup func(string) (string, bool)) (variable, bool) {
	for _, name := range names {
		if value, found := lookup(name); found {
			return variable{name, addressIn(name, value), name + " in the environment"}, true
		}
	}
	for _, name := range names {
		if value, found := values[name]; found {
			return variable{name, addressIn(name, value), name + " in " + file}, true
		}
	}
	return variable{}, false
}

// addressIn returns a variable's value: the address alone of the URL by which
// clients find the sidecar.
func addressIn(name, value string) string {
	if name != smartclient.EnvSidecar {
		return value
	}
	return strings.TrimSuffix(strings.TrimPrefix(value, "http://"), "/")
}

// onCommandLine tells whether a flag was given there, and not elsewhere.
func (s *settings) onCommandLine(c *cobra.Command, flag string) bool {
	return c.Flags().Changed(flag) && s.sources[flag] == ""
}

// named has an error that begins with a flag's name begin with where its value
// came from instead, if that was not the command line.
func (s *settings) named(message string) string {
	flag, problem, found := strings.Cut(message, ": ")
	source := s.sources[strings.TrimPrefix(flag, "--")]
	if !found || source == "" || !strings.HasPrefix(flag, "--") {
		return message
	}
	return source + ": " + problem
}

// flagNames are the variables of the flags of all commands: one file may be
// for several of them.
func flagNames(root *cobra.Command) map[string]bool {
	names := map[string]bool{}
	add := func(c *cobra.Command) func(*pflag.Flag) {
		return func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			for _, name := range variables(c, f) {
				names[name] = true
			}
		}
	}
	for _, c := range descendants(root) {
		c.LocalFlags().VisitAll(add(c))
		c.InheritedFlags().VisitAll(add(c))
	}
	return names
}

// descendants are all commands below one.
func descendants(c *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, child := range c.Commands() {
		all = append(append(all, child), descendants(child)...)
	}
	return all
}

// readSettings reads a file of NAME=value lines; empty lines and those that
// begin with # are skipped. No file name means no settings.
func readSettings(file string, known map[string]bool) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--config: %w", err)
	}
	values := map[string]string{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, isPair := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		switch {
		case !isPair || !strings.HasPrefix(name, environmentPrefix):
			return nil, usagef("--config: %s:%d: must be %sNAME=value", file, n, environmentPrefix)
		case !known[name]:
			return nil, usagef("--config: %s:%d: %s: no flag has this name", file, n, name)
		}
		values[name] = strings.Trim(strings.TrimSpace(value), `"`)
	}
	return values, nil
}

// stateDir returns where a control-plane node keeps its data by default: what
// systemd gives it, or the user's XDG state directory.
func stateDir() string {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir
	}
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "fairlead-data"
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "fairlead")
}
