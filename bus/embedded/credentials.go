package embedded

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The users of accounts.conf.
const (
	atlasUser = "atlas"
	sysUser   = "sys"
	appUser   = "app"
)

const credentialsFile = "credentials.json"

// UserPassword is what one user logs in with.
type UserPassword struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// Credentials are made at a data directory's first start and kept in it,
// readable by its owner only. The server's name is among them because the
// names of servers must be unique and should outlive a restart.
type Credentials struct {
	ServerName string       `json:"server_name"`
	Atlas      UserPassword `json:"atlas"`
	Sys        UserPassword `json:"sys"`
	App        UserPassword `json:"app"`
}

// ReadCredentials reads those of a data directory that a server was started
// on before; the error wraps [fs.ErrNotExist] if none was.
func ReadCredentials(dataDir string) (Credentials, error) {
	var creds Credentials
	raw, err := os.ReadFile(filepath.Join(dataDir, credentialsFile))
	if err != nil {
		return creds, fmt.Errorf("embedded bus: read credentials: %w", err)
	}
	if err := json.Unmarshal(raw, &creds); err != nil {
		return creds, fmt.Errorf("embedded bus: read credentials in %s: %w", dataDir, err)
	}
	return creds, creds.validate(dataDir)
}

func (c Credentials) validate(dataDir string) error {
	for name, value := range map[string]string{
		"server_name": c.ServerName, "atlas.password": c.Atlas.Password,
		"sys.password": c.Sys.Password, "app.password": c.App.Password,
	} {
		if value == "" || strings.ContainsAny(value, "\"\\\n") {
			return fmt.Errorf("embedded bus: %s in %s: expected a non-empty value without quotes",
				name, filepath.Join(dataDir, credentialsFile))
		}
	}
	return nil
}

// loadOrCreateCredentials is called with the data directory's lock held. What
// is given wins over what was kept, and is kept for the commands that read it.
func loadOrCreateCredentials(dataDir, serverName string, given Passwords) (Credentials, error) {
	kept, err := ReadCredentials(dataDir)
	creds := kept
	if errors.Is(err, fs.ErrNotExist) {
		creds, err = newCredentials(), nil
	}
	if err != nil {
		return creds, err
	}
	creds.ServerName = cmp.Or(serverName, creds.ServerName)
	creds.Atlas.Password = cmp.Or(given.Atlas, creds.Atlas.Password)
	creds.Sys.Password = cmp.Or(given.Sys, creds.Sys.Password)
	creds.App.Password = cmp.Or(given.App, creds.App.Password)
	if creds == kept {
		return creds, nil
	}
	if err := creds.validate(dataDir); err != nil {
		return creds, err
	}
	return creds, creds.save(dataDir)
}

func newCredentials() Credentials {
	return Credentials{
		ServerName: "fairlead-" + strings.ToLower(rand.Text()[:8]),
		Atlas:      UserPassword{User: atlasUser, Password: newPassword()},
		Sys:        UserPassword{User: sysUser, Password: newPassword()},
		App:        UserPassword{User: appUser, Password: newPassword()},
	}
}

// newPassword starts with a letter, because the configuration format takes an
// unquoted word of digits for a number.
func newPassword() string { return "p" + rand.Text() }

// save writes a file of its own and renames it, so that a crash leaves either
// nothing or all of it.
func (c Credentials) save(dataDir string) error {
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("embedded bus: encode credentials: %w", err)
	}
	path := filepath.Join(dataDir, credentialsFile)
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("embedded bus: save credentials: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("embedded bus: save credentials: %w", err)
	}
	return nil
}

// definitions are the variables that accounts.conf refers to.
func (c Credentials) definitions() string {
	return fmt.Sprintf("FAIRLEAD_ATLAS_PASSWORD: %q\nFAIRLEAD_SYS_PASSWORD: %q\nFAIRLEAD_APP_PASSWORD: %q\n",
		c.Atlas.Password, c.Sys.Password, c.App.Password)
}
