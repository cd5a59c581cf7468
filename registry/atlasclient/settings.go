package atlasclient

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

var _ registry.SettingsStore = (*Client)(nil)

// Settings implements [registry.SettingsSource].
func (c *Client) Settings(ctx context.Context, k registry.ServiceKey) (registry.Settings, error) {
	var all registry.Settings
	err := askService(ctx, c, protocol.ReadSettings, k, struct{}{}, &all)
	return all, err
}

// Configure implements [registry.SettingsStore].
func (c *Client) Configure(ctx context.Context, k registry.ServiceKey, name string, value *string) (registry.Revision, error) {
	next := registry.Setting{Name: name}
	if value != nil {
		next.Value = *value // JSON would mend text that is none
	}
	var errs registry.FieldErrors
	errs.Add(k.Validate())
	errs.Add(next.Validate())
	if err := errs.Err(); err != nil {
		return registry.Revision{}, fmt.Errorf("configure: %w", err)
	}
	var reply protocol.RevisionReply
	if err := c.request(ctx, protocol.ConfigureSubject(k, name), protocol.ConfigureRequest{Value: value}, &reply); err != nil {
		return registry.Revision{}, fmt.Errorf("configure %s %s: %w", k, name, err)
	}
	return reply.Revision, nil
}

// ListenSettings implements [registry.SettingsSource]. Values that make no
// sense are not heard of. stop must not be called by hear.
func (c *Client) ListenSettings(k registry.ServiceKey, hear func(registry.Setting)) (stop func(), err error) {
	if err := k.Validate(); err != nil {
		return nil, fmt.Errorf("listen to settings: %w", err)
	}
	ear := &settingsEar{client: c, hear: hear}
	sub, err := c.conn.NATS().Subscribe(protocol.SettingChanges(k), ear.take)
	if err != nil {
		return nil, fmt.Errorf("listen to settings of %s: %w", k, unavailable(err))
	}
	return func() {
		_ = sub.Unsubscribe()
		ear.close()
	}, nil
}

// A settingsEar passes messages on until it is closed.
type settingsEar struct {
	client *Client
	hear   func(registry.Setting)

	mu     sync.Mutex // held while hear runs
	closed bool
}

func (e *settingsEar) take(m *nats.Msg) {
	s, ok := settingOf(m)
	if !ok {
		e.client.ignored.Add(1)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.hear(s)
	}
}

func (e *settingsEar) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
}

// settingOf reads what the bucket has stored. A message without the server's
// headers is somebody's answer that was led here, and no change.
func settingOf(m *nats.Msg) (registry.Setting, bool) {
	at, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil || m.Header.Get("Nats-Stream") != "KV_settings" {
		return registry.Setting{}, false
	}
	s := registry.Setting{Name: m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], Value: string(m.Data), Revision: at}
	s.Gone = m.Header.Get("KV-Operation") != ""
	return s, s.Validate() == nil
}
