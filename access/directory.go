package access

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
)

// Names of the files in a directory.
const (
	CACert      = "ca.pem"
	CAKey       = "ca.key"
	ServerCert  = "server.pem"
	ServerKey   = "server.key"
	ClusterFile = "cluster.secret"
	UsersFile   = "users.json"
	UsersConf   = "users.conf"
)

// ErrExists says that there is something already where something new was to be
// written. Keys are never overwritten.
var ErrExists = errors.New("exists already")

// ErrNoUser says that there is no user of a name.
var ErrNoUser = errors.New("no such user")

// ErrNone says that a directory has no keys of Fairlead.
var ErrNone = errors.New("was not made by `fairlead init`")

// InitOptions of a new directory.
type InitOptions struct {
	// Hosts are the names and addresses that clients and peers use for the
	// servers; loopback is always among them.
	Hosts []string
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// Init makes a directory of keys, all of it or nothing. One that exists has to
// be empty.
func Init(dir string, opts InitOptions) error {
	if err := checkHosts(opts.Hosts); err != nil {
		return err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if err := mayMake(dir); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	files, err := firstFiles(opts)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := makeAtOnce(dir, files); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return nil
}

func mayMake(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s: %w, with %s in it", dir, ErrExists, entries[0].Name())
	}
	return nil
}

// hostName is what a certificate can carry: a DNS name, perhaps a wildcard.
var hostName = regexp.MustCompile(`^(\*\.)?[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$`)

func checkHosts(hosts []string) error {
	var errs registry.FieldErrors
	for _, host := range hosts {
		ip := net.ParseIP(host)
		switch {
		case ip != nil && ip.IsUnspecified():
			errs.Addf("host", "must be an address that clients use, got %s", host)
		case ip == nil && !hostName.MatchString(host):
			errs.Addf("host", "must be a host's name or address, got %q", host)
		}
	}
	return errs.Err()
}

// A file of the directory; what is not public is for its owner only.
type file struct {
	data   []byte
	public bool
}

func firstFiles(opts InitOptions) (map[string]file, error) {
	ca, caPair, err := newAuthority(opts.Now())
	if err != nil {
		return nil, err
	}
	server, err := ca.server(withLoopback(opts.Hosts), opts.Now())
	if err != nil {
		return nil, err
	}
	files := map[string]file{
		CACert: {caPair.cert, true}, CAKey: {data: caPair.key},
		ServerCert: {server.cert, true}, ServerKey: {data: server.key},
		ClusterFile: {data: []byte("c" + rand.Text() + rand.Text() + "\n")},
	}
	return files, addControlPlane(files, string(caPair.cert))
}

func withLoopback(hosts []string) []string {
	all := slices.Concat(hosts, []string{"localhost", "127.0.0.1", "::1"})
	slices.Sort(all)
	return slices.Compact(all)
}

// addControlPlane makes the users of the control plane itself.
func addControlPlane(files map[string]file, ca string) error {
	var users Users
	for _, role := range []Role{Atlas, Bridge, Sys} {
		user, credentials, err := newUser(string(role), Grant{Role: role})
		if err != nil {
			return err
		}
		// The control plane is no client of the bridge's.
		user.TokenHash, credentials.Token, credentials.CA = "", "", ca
		files[string(role)+".json"] = file{data: encode(credentials)}
		users = append(users, user)
	}
	files[UsersFile], files[UsersConf] = file{data: encode(users)}, file{data: []byte(users.Conf())}
	return nil
}

// encode is for our own types, which always encode.
func encode(v any) []byte {
	text, _ := json.MarshalIndent(v, "", "  ")
	return append(text, '\n')
}

// makeAtOnce writes beside the directory and renames.
func makeAtOnce(dir string, files map[string]file) error {
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	part, err := os.MkdirTemp(parent, ".fairlead-init-") // 0700
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(part) }()
	for name, f := range files {
		mode := fs.FileMode(0o600)
		if f.public {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(part, name), f.data, mode); err != nil {
			return err
		}
	}
	// Only an empty directory can be removed.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(part, dir)
}

// A Directory is one that was made by [Init]. Its methods may be called
// concurrently, by several processes too.
type Directory struct{ path string }

// Open returns a directory. The error wraps [ErrNone] if it is none.
func Open(dir string) (Directory, error) {
	d := Directory{dir}
	if _, err := os.Stat(d.Path(UsersFile)); errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("%s %w", dir, ErrNone)
	}
	_, err := d.Users()
	return d, err
}

// Path returns the path of one of its files.
func (d Directory) Path(name string) string { return filepath.Join(d.path, name) }

// ControlPlane returns the path of the credentials of [Atlas], [Bridge] or
// [Sys].
func (d Directory) ControlPlane(r Role) string { return d.Path(string(r) + ".json") }

// SeedFile returns the path of the seed of [Atlas] alone, which is how other
// tools take it, and makes the file from the credentials if it is missing.
func (d Directory) SeedFile() (string, error) {
	path := d.Path(string(Atlas) + ".nk")
	credentials, err := bus.ReadCredentials(d.ControlPlane(Atlas))
	if err != nil {
		return "", err
	}
	return path, replace(path, []byte(credentials.Seed+"\n"), 0o600)
}

// Users reads all users.
func (d Directory) Users() (Users, error) {
	raw, err := os.ReadFile(d.Path(UsersFile))
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	var all Users
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("read users: %s: %w", d.Path(UsersFile), err)
	}
	return all, nil
}

// ClusterSecret reads the password by which nodes know each other.
func (d Directory) ClusterSecret() (string, error) {
	text, err := os.ReadFile(d.Path(ClusterFile))
	if err != nil {
		return "", fmt.Errorf("read the cluster's secret: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// authorities are what servers, and peers of servers, are verified by.
func (d Directory) authorities() (*x509.CertPool, error) {
	ca, err := os.ReadFile(d.Path(CACert))
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("read the authority's certificate: %s: expected PEM", d.Path(CACert))
	}
	return pool, nil
}

// Certificate reads the servers' certificate and key.
func (d Directory) Certificate() (tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(d.Path(ServerCert), d.Path(ServerKey))
	if err != nil {
		return cert, fmt.Errorf("read the server's certificate: %w", err)
	}
	return cert, nil
}

// Add makes a user and returns its credentials, the only copy of them. The
// error wraps [ErrExists] if there is one of that name.
func (d Directory) Add(name string, g Grant) (Credentials, error) {
	var errs registry.FieldErrors
	errs.Add(registry.ValidateName("name", name))
	errs.Add(g.Validate())
	if err := errs.Err(); err != nil {
		return Credentials{}, err
	}
	ca, err := os.ReadFile(d.Path(CACert))
	if err != nil {
		return Credentials{}, fmt.Errorf("add a user: %w", err)
	}
	user, credentials, err := newUser(name, g)
	if err != nil {
		return Credentials{}, fmt.Errorf("add a user: %w", err)
	}
	credentials.CA = string(ca)
	return credentials, d.change(func(all Users) (Users, error) {
		if _, found := all.named(name); found {
			return nil, fmt.Errorf("user %s: %w", name, ErrExists)
		}
		return append(all, user), nil
	})
}

// Remove takes a user away. Servers close its connections within a second. The
// error wraps [ErrNoUser] if there is none.
func (d Directory) Remove(name string) error {
	return d.change(func(all Users) (Users, error) {
		i, found := all.named(name)
		if !found || !slices.Contains(Roles, all[i].Grant.Role) {
			return nil, fmt.Errorf("user %s: %w", name, ErrNoUser)
		}
		return slices.Delete(all, i, i+1), nil
	})
}

// Renew replaces the servers' certificate by one for these hosts. Servers take
// it within a second, for new connections.
func (d Directory) Renew(hosts []string, now time.Time) error {
	if err := checkHosts(hosts); err != nil {
		return err
	}
	cert, err := os.ReadFile(d.Path(CACert))
	if err != nil {
		return fmt.Errorf("renew the certificate: %w", err)
	}
	key, err := os.ReadFile(d.Path(CAKey))
	if err != nil {
		return fmt.Errorf("renew the certificate: %w", err)
	}
	ca, err := parseAuthority(pair{cert, key})
	if err != nil {
		return fmt.Errorf("renew the certificate: read the authority: %w", err)
	}
	server, err := ca.server(withLoopback(hosts), now)
	if err != nil {
		return fmt.Errorf("renew the certificate: %w", err)
	}
	// Whoever reads between the two finds that they do not fit, and again later.
	return errors.Join(replace(d.Path(ServerKey), server.key, 0o600), replace(d.Path(ServerCert), server.cert, 0o644))
}

// change replaces the users, one process at a time.
func (d Directory) change(f func(Users) (Users, error)) error {
	lock, err := os.Open(d.path)
	if err != nil {
		return fmt.Errorf("lock users: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock users: %w", err)
	}
	all, err := d.Users()
	if err != nil {
		return err
	}
	if all, err = f(all); err != nil {
		return err
	}
	// users.json is what counts; a NATS server of your own reads the other.
	return errors.Join(replace(d.Path(UsersFile), encode(all), 0o600), replace(d.Path(UsersConf), []byte(all.Conf()), 0o600))
}

// WriteNew writes a file that only its owner may read, unless there is one.
func WriteNew(path string, c Credentials) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", path, ErrExists)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(encode(c))
	return errors.Join(err, f.Close())
}

// replace writes beside a file and renames, so that nobody reads half of it.
func replace(path string, data []byte, mode fs.FileMode) error {
	part, err := os.CreateTemp(filepath.Dir(path), ".part-*") // 0600
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	err = errors.Join(err, part.Chmod(mode), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}
