package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
)

const environmentPrefix = "FAIRLEAD_"

// environmentName returns where a flag is looked up: nats-url in
// FAIRLEAD_NATS_URL.
func environmentName(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fillFlags gives the flags that were not set on the command line their value
// from the environment, or else from the file.
func fillFlags(flags *pflag.FlagSet, file string, lookup func(string) (string, bool)) error {
	if file == "" {
		file, _ = lookup(environmentName("config"))
	}
	values, err := readSettings(file)
	if err != nil {
		return err
	}
	var problem error
	flags.VisitAll(func(f *pflag.Flag) {
		name := environmentName(f.Name)
		value, ok := lookup(name)
		from := "the environment"
		if !ok {
			value, ok = values[name]
			from = file
		}
		if !ok || f.Changed || problem != nil || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			problem = usagef("%s in %s: %w", name, from, err)
		}
	})
	return problem
}

// readSettings reads a file of NAME=value lines; empty lines and those that
// begin with # are skipped. No file name means no settings.
func readSettings(name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, usagef("--config: %w", err)
	}
	defer f.Close()
	values := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || !strings.HasPrefix(key, environmentPrefix) {
			return nil, usagef("--config: %s:%d: must be %sNAME=value", name, n, environmentPrefix)
		}
		values[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"`)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--config: %w", err)
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
