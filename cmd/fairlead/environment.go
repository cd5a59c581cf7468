package main

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const environmentPrefix = "FAIRLEAD_"

// environmentName returns where a flag is looked up: nats-url in
// FAIRLEAD_NATS_URL.
func environmentName(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
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
		value, source, found := find(environmentName(f.Name), file, values, lookup)
		if !found || f.Changed || problem != nil || f.Name == "help" {
			return
		}
		s.sources[f.Name] = source
		if err := c.Flags().Set(f.Name, value); err != nil {
			// What is wrapped in it is the problem; around that is the flag.
			problem = usagef("%s: %w", source, cmp.Or(errors.Unwrap(err), err))
		}
	})
	return problem
}

// find looks a variable up, in the environment first, and tells where it was.
func find(name, file string, values map[string]string, lookup func(string) (string, bool)) (value, source string, found bool) {
	if value, found = lookup(name); found {
		return value, name + " in the environment", true
	}
	value, found = values[name]
	return value, name + " in " + file, found
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
	add := func(f *pflag.Flag) { names[environmentName(f.Name)] = true }
	root.PersistentFlags().VisitAll(add)
	for _, c := range root.Commands() {
		c.Flags().VisitAll(add)
	}
	delete(names, environmentName("help"))
	return names
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
