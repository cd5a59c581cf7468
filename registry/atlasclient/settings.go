package atlasclient

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// Settings asks for all settings of a service.
func (c *Client) Settings(ctx context.Context, k registry.ServiceKey) (registry.Settings, error) {
	var all registry.Settings
	err := askService(ctx, c, protocol.ReadSettings, k, struct{}{}, &all)
	return all, err
}

// Configure sets one of a service's settings, nil takes it away: where there
// was none, the revision's sequence is zero.
func (c *Client) Configure(ctx context.Context, k registry.ServiceKey, name string, value *string) (registry.Revision, error) {
	var errs registry.FieldErrors
	errs.Add(k.Validate())
	errs.Add(registry.ValidateSettingName(name))
	if err := errs.Err(); err != nil {
		return registry.Revision{}, fmt.Errorf("configure: %w", err)
	}
	var reply protocol.RevisionReply
	if err := c.request(ctx, protocol.ConfigureSubject(k, name), protocol.ConfigureRequest{Value: value}, &reply); err != nil {
		return registry.Revision{}, fmt.Errorf("configure %s %s: %w", k, name, err)
	}
	return reply.Revision, nil
}

// ListenSettings calls hear for every change of a service's settings, one at a
// time, until stop is called. What is missed while the connection is away is
// learned by asking for all again. Values that make no sense are not heard of.
func (c *Client) ListenSettings(k registry.ServiceKey, hear func(registry.Setting)) (stop func(), err error) {
	if err := k.Validate(); err != nil {
		return nil, fmt.Errorf("listen to settings: %w", err)
	}
	sub, err := c.conn.NATS().Subscribe(protocol.SettingChanges(k), func(m *nats.Msg) {
		if s, ok := settingOf(m); ok {
			hear(s)
			return
		}
		c.ignored.Add(1)
	})
	if err != nil {
		return nil, fmt.Errorf("listen to settings of %s: %w", k, unavailable(err))
	}
	return func() { _ = sub.Unsubscribe() }, nil
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
