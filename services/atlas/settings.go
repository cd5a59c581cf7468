package atlas

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"fairlead.dev/bus/provision"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

const (
	settingsSubject = "$KV." + provision.SettingsBucket + "."
	settingsStream  = "KV_" + provision.SettingsBucket
)

// settings answers all settings of a service, as the bucket has them now. Of
// their changes the bucket tells by itself.
func (n *Node) settings(ctx context.Context, m micro.Request) (registry.Settings, error) {
	if _, err := n.requesterOf(m); err != nil {
		return registry.Settings{}, err
	}
	k, err := serviceIn(m.Subject())
	if err != nil {
		return registry.Settings{}, err
	}
	return n.readSettings(ctx, k)
}

func (n *Node) readSettings(ctx context.Context, k registry.ServiceKey) (registry.Settings, error) {
	all := registry.Settings{Settings: []registry.Setting{}, Invalid: map[string]string{}}
	stream, err := n.store.js.Stream(ctx, settingsStream)
	if err != nil {
		return all, fmt.Errorf("%w: read settings: %w", registry.ErrUnavailable, err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(settingsSubject+k.Dotted()+".*"))
	if err != nil {
		return all, fmt.Errorf("%w: read settings: %w", registry.ErrUnavailable, err)
	}
	all.Revision = registry.Revision{Epoch: settingsEpoch(info), Sequence: info.State.LastSeq}
	for _, subject := range slices.Sorted(maps.Keys(info.State.Subjects)) {
		m, err := stream.GetLastMsgForSubject(ctx, subject)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return all, fmt.Errorf("%w: read settings: %w", registry.ErrUnavailable, err)
		case m.Header.Get(kvOperation) == "":
			collect(&all, registry.Setting{Name: subject[strings.LastIndexByte(subject, '.')+1:], Value: string(m.Data), Revision: m.Sequence})
		}
	}
	return all, nil
}

// collect keeps what makes no sense apart, and what is beyond the limit.
func collect(all *registry.Settings, s registry.Setting) {
	err := s.Validate()
	switch {
	case err != nil:
		all.Invalid[s.Name] = err.Error()
	case len(all.Settings) >= registry.MaxSettings:
		all.Invalid[s.Name] = fmt.Sprintf("a service has at most %d settings", registry.MaxSettings)
	default:
		all.Settings = append(all.Settings, s)
	}
}

// handleConfigure sets or takes away one setting.
func (n *Node) handleConfigure(ctx context.Context, r request) (any, error) {
	var m protocol.ConfigureRequest
	if err := decodeOverride(r.data, "value", &m); err != nil {
		return nil, err
	}
	k, name := r.key.ServiceKey(), r.key.Instance
	one := registry.Setting{Name: name}
	if m.Value != nil {
		one.Value = *m.Value
	}
	if err := one.Validate(); err != nil {
		return nil, err
	}
	if err := checkRealmSetting(k, one); err != nil && m.Value != nil {
		return nil, err
	}
	defer n.networks.forget(k.Realm)
	all, err := n.readSettings(ctx, k)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all.Settings, func(s registry.Setting) bool { return s.Name == name })
	_, invalid := all.Invalid[name]
	switch {
	case m.Value == nil && at < 0 && !invalid:
		return protocol.RevisionReply{Revision: registry.Revision{Epoch: all.Revision.Epoch}}, nil
	case m.Value != nil && at < 0 && len(all.Settings) >= registry.MaxSettings:
		return nil, &registry.FieldError{Field: "name", Problem: fmt.Sprintf("a service has at most %d settings", registry.MaxSettings)}
	}
	return n.writeSetting(ctx, settingsSubject+k.Dotted()+"."+name, m.Value, all.Revision.Epoch)
}

// writeSetting overwrites whatever is there: the last word counts.
func (n *Node) writeSetting(ctx context.Context, subject string, value *string, epoch string) (any, error) {
	m := &nats.Msg{Subject: subject, Header: nats.Header{}}
	if value == nil {
		m.Header.Set(kvOperation, "DEL")
	} else {
		m.Data = []byte(*value)
	}
	ack, err := n.store.js.PublishMsg(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("%w: write setting: %w", registry.ErrUnavailable, err)
	}
	return protocol.RevisionReply{Revision: registry.Revision{Epoch: epoch, Sequence: ack.Sequence}}, nil
}
