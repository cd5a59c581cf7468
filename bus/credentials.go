package bus

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Credentials are one user's, as `fairlead credentials add` writes them: one
// file has all that a program needs to be let in.
type Credentials struct {
	Name  string `json:"name"`
	Seed  string `json:"seed"`            // of an nkey; the server knows the public half only
	Token string `json:"token,omitempty"` // for the bridge, over HTTP
	CA    string `json:"ca,omitempty"`    // PEM of the authority that vouches for the servers
}

// ReadCredentials reads a file. Errors name the file and say what is missing,
// and never what is in it.
func ReadCredentials(path string) (Credentials, error) {
	var c Credentials
	raw, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read credentials: %w", err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return Credentials{}, fmt.Errorf("read credentials: %s: expected JSON as `fairlead credentials add` writes it", path)
	}
	if err := c.check(); err != nil {
		return Credentials{}, fmt.Errorf("read credentials: %s: %w", path, err)
	}
	return c, nil
}

func (c Credentials) check() error {
	if c.Name == "" {
		return errors.New("name: must be given")
	}
	pair, err := nkeys.FromSeed([]byte(c.Seed))
	if err != nil {
		return errors.New("seed: expected the seed of a user's nkey")
	}
	pair.Wipe()
	if c.CA == "" {
		return nil
	}
	_, err = pool([]byte(c.CA))
	return err
}

// Inbox is the prefix of the subjects that answers to this user come to. No
// other user may listen there.
func (c Credentials) Inbox() string { return "_INBOX_" + c.Name }

// option logs in by signing what the server sends. The key is in memory only
// for as long as that takes.
func (c Credentials) option() nats.Option {
	public, err := c.public()
	if err != nil {
		return func(*nats.Options) error { return err }
	}
	return nats.Nkey(public, func(nonce []byte) ([]byte, error) {
		pair, err := nkeys.FromSeed([]byte(c.Seed))
		if err != nil {
			return nil, err
		}
		defer pair.Wipe()
		return pair.Sign(nonce)
	})
}

func (c Credentials) public() (string, error) {
	pair, err := nkeys.FromSeed([]byte(c.Seed))
	if err != nil {
		return "", errors.New("seed: expected the seed of a user's nkey")
	}
	defer pair.Wipe()
	return pair.PublicKey()
}

// trusting returns what verifies servers by an authority's certificates.
func trusting(pem []byte) (*tls.Config, error) {
	roots, err := pool(pem)
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

func pool(pem []byte) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("ca: expected certificates in PEM")
	}
	return roots, nil
}
