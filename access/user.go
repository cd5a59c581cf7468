package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"

	"github.com/nats-io/nkeys"

	"fairlead.dev/bus"
)

// A User is one entry of users.json. Nothing in it is secret.
type User struct {
	Name  string `json:"name"`
	Grant Grant  `json:"grant"`
	// Key is the public half of the user's nkey.
	Key string `json:"key"`
	// TokenHash is the SHA-256, in hexadecimal, of the token for the bridge. A
	// token has 130 random bits, so a slow hash would protect it no better.
	TokenHash string `json:"token_sha256,omitempty"`
}

// Credentials are what a user's file has.
type Credentials struct {
	bus.Credentials
	Grant Grant `json:"grant"` // for people to look at
}

// newUser makes a user and what lets it in.
func newUser(name string, g Grant) (User, Credentials, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return User{}, Credentials{}, fmt.Errorf("make a key: %w", err)
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil {
		return User{}, Credentials{}, fmt.Errorf("make a key: %w", err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return User{}, Credentials{}, fmt.Errorf("make a key: %w", err)
	}
	token := rand.Text()
	c := Credentials{bus.Credentials{Name: name, Seed: string(seed), Token: token}, g}
	return User{Name: name, Grant: g, Key: public, TokenHash: hash(token)}, c, nil
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (u User) inbox() string { return bus.Credentials{Name: u.Name}.Inbox() }

// Users are all that are let in.
type Users []User

// ByToken returns the user that a token was made for. How long it takes says
// nothing of how near a wrong token came.
func (all Users) ByToken(token string) (User, bool) {
	given := hash(token)
	var found User
	ok := false
	for _, u := range all {
		if subtle.ConstantTimeCompare([]byte(u.TokenHash), []byte(given)) == 1 {
			found, ok = u, true
		}
	}
	return found, ok
}

func (all Users) named(name string) (int, bool) {
	for i, u := range all {
		if u.Name == name {
			return i, true
		}
	}
	return 0, false
}
