package atlas

import (
	"context"
	"fmt"
	"sync"
	"time"

	"fairlead.dev/registry"
)

const (
	// networksFor is how long what was read of a realm's networks counts: so
	// soon a change does at every node.
	networksFor = 2 * time.Second
	// networksWithin bounds the wait for a new reading where there is an old one
	// to go on with.
	networksWithin = 500 * time.Millisecond
	// networksMost bounds the realms that are remembered.
	networksMost = 1024
)

// networks remember for a while where instances may listen, realm by realm. The
// zero value is ready; they may be used concurrently.
type networks struct {
	mu sync.Mutex
	of map[string]*realmNetworks
}

// realmNetworks are one realm's. Whoever comes while they are read waits.
type realmNetworks struct {
	mu      sync.Mutex
	allowed registry.Networks
	read    time.Time // zero: never
}

func (x *networks) realm(name string) *realmNetworks {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.of[name]
	if r == nil {
		if len(x.of) >= networksMost || x.of == nil {
			x.of = map[string]*realmNetworks{}
		}
		r = &realmNetworks{}
		x.of[name] = r
	}
	return r
}

// forget has a realm's networks read again by whoever wants them next.
func (x *networks) forget(realm string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.of, realm)
}

// get returns what is allowed, by a reading that is young enough or, while there
// can be no other, by the last.
func (r *realmNetworks) get(ctx context.Context, read func(context.Context) (registry.Networks, error)) (registry.Networks, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.read.IsZero() {
		if time.Since(r.read) < networksFor {
			return r.allowed, nil
		}
		bounded, cancel := context.WithTimeout(ctx, networksWithin)
		defer cancel()
		ctx = bounded
	}
	allowed, err := read(ctx)
	switch {
	case err == nil:
		r.allowed = allowed
	case r.read.IsZero():
		return registry.Networks{}, err
	}
	r.read = time.Now()
	return r.allowed, nil
}

// mayListen refuses a host outside of its realm's networks. Without a word on
// them, because the settings do not answer, nothing is registered.
func (n *Node) mayListen(ctx context.Context, realm, host string) error {
	allowed, err := n.networksOf(ctx, realm)
	if err != nil {
		return fmt.Errorf("%w: the realm's allowed networks: %w", registry.ErrUnavailable, err)
	}
	return allowed.Allow(host)
}

func (n *Node) networksOf(ctx context.Context, realm string) (registry.Networks, error) {
	return n.networks.realm(realm).get(ctx, func(ctx context.Context) (registry.Networks, error) {
		return n.readNetworks(ctx, realm)
	})
}

// learnNetworks reads what is set for the realms that are there: a node that has
// done so can register while the settings do not answer.
func (n *Node) learnNetworks(ctx context.Context, realms []string) {
	for _, realm := range realms {
		if _, err := n.networksOf(ctx, realm); err != nil {
			n.log.Debug("allowed networks not read", "realm", realm, "error", err)
		}
	}
}

func (n *Node) readNetworks(ctx context.Context, realm string) (registry.Networks, error) {
	k := registry.ServiceKey{Realm: realm, Service: registry.RealmService}
	m, err := lastMessage(ctx, n.nc, settingsStream, settingsSubject+k.Dotted()+"."+registry.NetworksSetting)
	if err != nil || m.gone() {
		return registry.Networks{}, err
	}
	return registry.ParseNetworks(string(m.Data))
}

// checkRealmSetting is for those settings that the platform itself reads. A bound
// under a name that nobody reads would be none.
func checkRealmSetting(k registry.ServiceKey, s registry.Setting) error {
	if k.Service != registry.RealmService {
		return nil
	}
	if s.Name != registry.NetworksSetting {
		return &registry.FieldError{Field: "name", Problem: fmt.Sprintf("must be %s, which is all that is read of %s, got %q", registry.NetworksSetting, registry.RealmService, s.Name)}
	}
	_, err := registry.ParseNetworks(s.Value)
	return err
}
