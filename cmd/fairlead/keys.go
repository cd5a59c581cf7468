package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/access"
	"fairlead.dev/registry"
)

// configDir is where keys are kept by default: what systemd gives a service,
// or the user's XDG directory.
func configDir() string {
	if dir := os.Getenv("CONFIGURATION_DIRECTORY"); dir != "" {
		return dir
	}
	base, err := os.UserConfigDir()
	if err != nil {
		return "fairlead-keys"
	}
	return filepath.Join(base, "fairlead")
}

// securityFlag declares which directory of keys a command is about.
func securityFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "security", configDir(), "directory of keys")
}

// newInitCommand makes what a server needs beyond loopback.
func newInitCommand(set *settings) *cobra.Command {
	var dir string
	var hosts []string
	var renew bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Make the certificates and keys that a server beyond loopback needs",
		Long: `Make a directory with an authority, a certificate for the servers, and the
control plane's keys. Nothing is ever overwritten, and no secret is printed.
All nodes of a control plane use the same directory.

--renew makes a new certificate for the servers from the same authority; they
take it without a restart.`,
		Example: `  fairlead init --security /etc/fairlead --host bus1.example --host 10.0.0.5
  fairlead server --security /etc/fairlead --nats-addr 0.0.0.0:4222 --http-addr 0.0.0.0:4300`,
		RunE: func(*cobra.Command, []string) error {
			if renew {
				return set.renewCertificate(dir, hosts)
			}
			return set.initKeys(dir, hosts)
		},
	}
	securityFlag(c, &dir)
	c.Flags().StringSliceVar(&hosts, "host", nil, "name or address that clients use for the servers; may be repeated")
	lookUp(c.Flags(), "host") // FAIRLEAD_HOST is one service's
	c.Flags().BoolVar(&renew, "renew", false, "only replace the servers' certificate")
	return c
}

func (s *settings) initKeys(dir string, hosts []string) error {
	err := access.Init(dir, access.InitOptions{Hosts: hosts})
	switch {
	case errors.Is(err, access.ErrExists):
		return usagef("--security: %w", err)
	case err != nil:
		return inFlags(err)
	}
	if s.json() {
		return s.printJSON(map[string]string{"security": dir})
	}
	if len(hosts) == 0 {
		fmt.Fprintf(s.err, "note: the certificate is for this machine's loopback alone; for clients elsewhere fairlead init --renew --security %s --host NAME\n", dir)
	}
	fmt.Fprintf(s.out, "made %s; now\n  fairlead server --security %s --nats-addr 0.0.0.0:4222 --http-addr 0.0.0.0:4300\n", dir, dir)
	fmt.Fprintf(s.out, "and for each program or person\n  fairlead credentials add NAME --security %s --realm REALM --role reader|instance|operator\n", dir)
	return nil
}

func (s *settings) renewCertificate(dir string, hosts []string) error {
	keys, err := openKeys(dir)
	if err != nil {
		return err
	}
	if err := keys.Renew(hosts, time.Now()); err != nil {
		return inFlags(err)
	}
	if s.json() {
		return s.printJSON(map[string]string{"security": dir})
	}
	_, err = fmt.Fprintf(s.out, "%s is new; servers take it within a second\n", keys.Path(access.ServerCert))
	return err
}

// inFlags has problems of fields name the flags they came from.
func inFlags(err error) error {
	var fields registry.FieldErrors
	if !errors.As(err, &fields) {
		return err
	}
	var renamed registry.FieldErrors
	for _, f := range fields {
		renamed.Addf("--"+f.Field, "%s", f.Problem)
	}
	return usageError{renamed}
}

func openKeys(dir string) (access.Directory, error) {
	keys, err := access.Open(dir)
	if errors.Is(err, access.ErrNone) {
		return keys, usagef("--security: %w", err)
	}
	return keys, err
}

// newCredentialsCommand says who is let in, and what each may.
func newCredentialsCommand(set *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "credentials",
		Short: "Say which programs and people are let in, and what each may",
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newCredentialsAddCommand(set), newCredentialsListCommand(set), newCredentialsRemoveCommand(set))
	return c
}

func newCredentialsAddCommand(set *settings) *cobra.Command {
	var dir, out, role string
	var grant access.Grant
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Let a program or a person in, and write the file that does so",
		Long: `Let a program or a person in, and write the file that does so. It is the only
copy: move it to where it is used, and name it there by FAIRLEAD_CREDENTIALS.
Servers know of it within a second.

Roles, each in one realm (--realm):
  reader     tables, changes and events
  instance   also: keep instances of --service registered, and its events
  operator   also: each --verb by itself: flag, drain, weight, meta, configure`,
		Example: `  fairlead credentials add identity --realm production --role instance --service identity
  fairlead credentials add jane --realm production --role operator --verb flag --verb drain`,
		Args: takes("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			grant.Role, grant.Realm = access.Role(role), set.realm
			return set.addCredentials(dir, args[0], grant, out)
		},
	}
	securityFlag(c, &dir)
	flags := c.Flags()
	flags.StringVar(&role, "role", "", "reader, instance or operator")
	flags.StringSliceVar(&grant.Services, "service", nil, "service that the role is about; may be repeated")
	flags.StringVar(&grant.Instance, "instance", "", "only this instance of the service")
	flags.StringSliceVar(&grant.Verbs, "verb", nil, "what an operator may; may be repeated")
	lookUp(flags, "service")  // FAIRLEAD_SERVICE and FAIRLEAD_INSTANCE are
	lookUp(flags, "instance") // those that a program runs as
	flags.StringVar(&out, "out", "", "file to write (default NAME.json)")
	return c
}

func (s *settings) addCredentials(dir, name string, grant access.Grant, out string) error {
	keys, err := openKeys(dir)
	if err != nil {
		return err
	}
	if out == "" {
		out = name + ".json"
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return usagef("--out: %s: %w", out, access.ErrExists)
	}
	if err := registry.ValidateName("NAME", name); err != nil {
		return usageError{err}
	}
	credentials, err := keys.Add(name, grant)
	switch {
	case errors.Is(err, access.ErrExists):
		return usageError{err}
	case err != nil:
		return inFlags(err)
	}
	if err := access.WriteNew(out, credentials); err != nil {
		// Nobody could use it, so it is taken back.
		return errors.Join(fmt.Errorf("--out: %w", err), keys.Remove(name))
	}
	if s.json() {
		return s.printJSON(map[string]any{"name": name, "grant": grant, "file": out})
	}
	_, err = fmt.Fprintf(s.out, "wrote %s: move it to where it is used, and set FAIRLEAD_CREDENTIALS to its path\n", out)
	return err
}

func newCredentialsListCommand(set *settings) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "list", Short: "List who is let in", Args: takes(),
		RunE: func(*cobra.Command, []string) error { return set.listCredentials(dir) },
	}
	securityFlag(c, &dir)
	return c
}

func (s *settings) listCredentials(dir string) error {
	keys, err := openKeys(dir)
	if err != nil {
		return err
	}
	users, err := keys.Users()
	if err != nil {
		return err
	}
	if s.json() {
		return s.printJSON(map[string]any{"users": users})
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tREALM\tSERVICES\tVERBS\tKEY")
	for _, u := range users {
		g := u.Grant
		services := strings.Join(g.Services, ",")
		if g.Instance != "" {
			services += "/" + g.Instance
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", u.Name, g.Role, g.Realm, services, strings.Join(g.Verbs, ","), u.Key)
	}
	return w.Flush()
}

func newCredentialsRemoveCommand(set *settings) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "remove NAME", Short: "Let somebody in no longer; connections are closed", Args: takes("NAME"),
		RunE: func(_ *cobra.Command, args []string) error { return set.removeCredentials(dir, args[0]) },
	}
	securityFlag(c, &dir)
	return c
}

func (s *settings) removeCredentials(dir, name string) error {
	keys, err := openKeys(dir)
	if err != nil {
		return err
	}
	if err := keys.Remove(name); err != nil {
		return err
	}
	if s.json() {
		return s.printJSON(map[string]string{"removed": name})
	}
	_, err = fmt.Fprintf(s.out, "removed %s; servers close its connections within a second\n", name)
	return err
}
