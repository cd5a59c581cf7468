package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"github.com/spf13/cobra"

	"fairlead.dev/access"
	"fairlead.dev/bus"
	"fairlead.dev/bus/embedded"
)

// contextName is what the nats tool calls the context: `nats --context
// fairlead kv ls`.
const contextName = "fairlead"

// A natsContext has those fields of a context file of the nats tool that are
// needed to log in; the tool fills in the rest.
type natsContext struct {
	Description string `json:"description"`
	URL         string `json:"url"`
	User        string `json:"user"`
	Password    string `json:"password"`
	NKey        string `json:"nkey,omitempty"` // path of a seed
	CA          string `json:"ca,omitempty"`   // path of a certificate
}

// newNATSContextCommand lets the nats tool see the registry's buckets.
func newNATSContextCommand(set *settings) *cobra.Command {
	var data, security string
	var save bool
	c := &cobra.Command{
		Use:   "nats-context",
		Short: "Print or save what the nats tool needs to look into the registry",
		Long: `Print what the nats tool needs to log in to the account of the control plane,
where the registry's buckets and streams are: with the password, so mind who
looks. --save makes it the tool's context "fairlead".

Beyond loopback --security names the directory of keys; the tool gets the
control plane's key from a file there.`,
		Example: `  fairlead nats-context --save
  nats --context fairlead kv watch atlas`,
		RunE: func(*cobra.Command, []string) error { return set.natsContext(data, security, save) },
	}
	c.Flags().StringVar(&data, "data", stateDir(), "data directory of the server whose credentials to use")
	c.Flags().StringVar(&security, "security", "", "directory of keys, for a server beyond loopback")
	c.Flags().BoolVar(&save, "save", false, "save it as the tool's context "+contextName)
	return c
}

func (s *settings) natsContext(data, security string, save bool) error {
	context, err := s.loginContext(data, security)
	if err != nil {
		return err
	}
	if !save {
		return s.printJSON(context)
	}
	file, err := saveContext(context)
	if err != nil {
		return fmt.Errorf("--save: %w", err)
	}
	_, err = fmt.Fprintf(s.out, "saved %s; try: nats --context %s kv ls\n", file, contextName)
	return err
}

func (s *settings) loginContext(data, security string) (natsContext, error) {
	context := natsContext{Description: "Fairlead, account ATLAS", URL: cmp.Or(s.natsURL, bus.DefaultURL)}
	if security == "" {
		login, err := readLogin(data)
		context.User, context.Password = login.User, login.Password
		return context, err
	}
	keys, err := openKeys(security)
	if err != nil {
		return context, err
	}
	context.NKey, err = keys.SeedFile()
	if err != nil {
		return context, err
	}
	context.NKey, err = filepath.Abs(context.NKey)
	if err != nil {
		return context, err
	}
	context.CA = filepath.Join(filepath.Dir(context.NKey), access.CACert)
	context.URL = cmp.Or(s.natsURL, "tls://127.0.0.1:4222")
	return context, nil
}

func readLogin(data string) (embedded.UserPassword, error) {
	creds, err := embedded.ReadCredentials(data)
	if errors.Is(err, fs.ErrNotExist) {
		return creds.Atlas, usagef("--data: %s has no credentials: no server was started with it", data)
	}
	return creds.Atlas, err
}

func saveContext(context natsContext) (file string, err error) {
	dir, err := contextDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(context, "", "  ")
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, contextName+".json")
	return file, replaceFile(file, append(text, '\n'))
}

// contextDir is where the nats tool looks. Like it, this goes by the user's
// entry in the system and not by $HOME.
func contextDir() (string, error) {
	base := os.Getenv("XDG_CONFIG_HOME")
	if base == "" {
		u, err := user.Current()
		if err != nil {
			return "", err
		}
		base = filepath.Join(u.HomeDir, ".config")
	}
	return filepath.Join(base, "nats", "context"), nil
}

// replaceFile writes a file that only its owner may read, and replaces the old
// one at once.
func replaceFile(name string, text []byte) error {
	part, err := os.CreateTemp(filepath.Dir(name), ".part-*")
	if err != nil {
		return err
	}
	_, err = part.Write(text)
	err = errors.Join(err, part.Close())
	if err == nil {
		err = os.Rename(part.Name(), name)
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}
