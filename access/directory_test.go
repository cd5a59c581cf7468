package access

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead.dev/bus"
	"fairlead.dev/registry"
)

var identity = Grant{Role: Instance, Realm: "production", Services: []string{"identity"}}

func newDirectory(t *testing.T, hosts ...string) Directory {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := Init(dir, InitOptions{Hosts: hosts}); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestInitMakesEverythingPrivate(t *testing.T) {
	d := newDirectory(t)
	want := map[string]fs.FileMode{
		".": 0o700, CACert: 0o644, ServerCert: 0o644, CAKey: 0o600, ServerKey: 0o600,
		ClusterFile: 0o600, UsersFile: 0o600, UsersConf: 0o600,
		"atlas.json": 0o600, "bridge.json": 0o600, "sys.json": 0o600,
	}
	entries, err := os.ReadDir(d.path)
	if err != nil || len(entries) != len(want)-1 {
		t.Errorf("%d files (%v), want %d", len(entries), err, len(want)-1)
	}
	for name, mode := range want {
		if info, err := os.Stat(d.Path(name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want %o", name, info, err, mode)
		}
	}
}

func TestInitOverwritesNothing(t *testing.T) {
	d := newDirectory(t)
	before := contents(t, d.path)
	if err := Init(d.path, InitOptions{}); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), d.path) {
		t.Errorf("init again: %v", err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Init(other, InitOptions{}); !errors.Is(err, ErrExists) {
		t.Errorf("init where something is: %v", err)
	}
	if after := contents(t, d.path); after != before {
		t.Error("init again changed something")
	}
	if parts, _ := filepath.Glob(filepath.Join(filepath.Dir(d.path), ".fairlead-*")); len(parts) > 0 {
		t.Errorf("left behind: %v", parts)
	}
}

func contents(t *testing.T, dir string) string {
	t.Helper()
	var all bytes.Buffer
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

func TestInitTakesAnEmptyDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestInitNamesWhatIsWrong(t *testing.T) {
	for _, host := range []string{"", "0.0.0.0", "a b", "bus1:4222", "-x", "tls://bus1"} {
		var fields registry.FieldErrors
		err := Init(filepath.Join(t.TempDir(), "keys"), InitOptions{Hosts: []string{host}})
		if !errors.As(err, &fields) || fields[0].Field != "host" {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func TestTheCertificateIsForItsHosts(t *testing.T) {
	d := newDirectory(t, "bus1.example", "10.0.0.5")
	verify := func(host string) error {
		t.Helper()
		cert, err := d.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(cert.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		ca, err := os.ReadFile(d.Path(CACert))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		_, err = leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		return err
	}
	for _, host := range []string{"bus1.example", "10.0.0.5", "localhost", "127.0.0.1", "::1"} {
		if err := verify(host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if err := verify("bus2.example"); err == nil {
		t.Error("it vouches for another host")
	}
	if err := d.Renew([]string{"bus2.example"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(verify("bus2.example"), verify("localhost")); err != nil {
		t.Errorf("after a renewal: %v", err)
	}
	if err := verify("bus1.example"); err == nil {
		t.Error("after a renewal it is for the old host still")
	}
}

func TestTheServersSideHasNoSecrets(t *testing.T) {
	d := newDirectory(t)
	c, err := d.Add("identity", identity)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{UsersFile, UsersConf} {
		data, err := os.ReadFile(d.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(c.Seed)) || bytes.Contains(data, []byte(c.Token)) {
			t.Errorf("%s has a secret in it", name)
		}
	}
	users, err := d.Users()
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := users.ByToken(c.Token); !ok || u.Name != "identity" {
		t.Errorf("by its token: %+v, %t", u, ok)
	}
	for _, token := range []string{"", "x", c.Token + "x", c.Seed} {
		if u, ok := users.ByToken(token); ok {
			t.Errorf("token %q is taken for %s's", token, u.Name)
		}
	}
}

func TestCredentialsAreWrittenOnceAndReadBack(t *testing.T) {
	d := newDirectory(t)
	c, err := d.Add("identity", identity)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "identity.json")
	if err := WriteNew(file, c); err != nil {
		t.Fatal(err)
	}
	if err := WriteNew(file, c); !errors.Is(err, ErrExists) {
		t.Errorf("written again: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	read, err := bus.ReadCredentials(file)
	if err != nil || read != c.Credentials || read.CA == "" || read.Inbox() != "_INBOX_identity" {
		t.Errorf("read back %+v, %v", read, err)
	}
}

func TestUsersComeAndGo(t *testing.T) {
	d := newDirectory(t)
	if _, err := d.Add("identity", identity); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Add("identity", identity); !errors.Is(err, ErrExists) {
		t.Errorf("added twice: %v", err)
	}
	if err := d.Remove("identity"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"identity", "atlas", "bridge", "sys"} {
		if err := d.Remove(name); !errors.Is(err, ErrNoUser) {
			t.Errorf("remove %s: %v", name, err)
		}
	}
}

func TestUsersAddedAtOnceAreAllThere(t *testing.T) {
	d := newDirectory(t)
	var adding sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		adding.Go(func() {
			if _, err := d.Add(name, Grant{Role: Reader, Realm: "test"}); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	if users, err := d.Users(); err != nil || len(users) != 9 {
		t.Errorf("%d users, %v", len(users), err)
	}
}

func TestLiveTakesWhatChanges(t *testing.T) {
	d := newDirectory(t)
	live, err := d.Follow(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	told := make(chan Users, 1)
	failed := false
	live.Run(func(users Users) error {
		if !failed { // the first time the bus does not take it
			failed = true
			return errors.New("not now")
		}
		told <- users
		return nil
	})
	c, err := d.Add("identity", identity)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case users := <-told:
		if _, ok := users.named("identity"); !ok {
			t.Errorf("told of %+v", users)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told")
	}
	if g, ok := live.Authorize(c.Token); !ok || !slices.Equal(g.Services, identity.Services) {
		t.Errorf("the token gives %+v, %t", g, ok)
	}
}

func TestLiveIsClosedWithoutHavingRun(t *testing.T) {
	live, err := newDirectory(t).Follow(nil)
	if err != nil {
		t.Fatal(err)
	}
	live.Close()
	live.Close()
}

func TestOpenSaysWhatItIsNot(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
}
