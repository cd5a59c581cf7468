package atlas

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"fairlead.dev/bus/provision"
	"fairlead.dev/registry"
	"fairlead.dev/schemas"
)

// tellOfSettings announces what the bucket of settings stores while this node
// leads. A change that is stored while no node leads is told to its service
// all the same, by the bucket, but becomes no event.
func (n *Node) tellOfSettings(ctx context.Context) error {
	changes := make(chan *nats.Msg, 256)
	sub, err := n.nc.ChanSubscribe(provision.SettingsChanges+".>", changes)
	if err != nil {
		return fmt.Errorf("follow the settings: %w", err)
	}
	n.closer = append(n.closer, func() { _ = sub.Unsubscribe() })
	n.loops.Go(func() {
		for {
			select {
			case m := <-changes:
				if n.leading.Load() {
					n.tellOfSetting(ctx, m)
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return nil
}

func (n *Node) tellOfSetting(ctx context.Context, m *nats.Msg) {
	data, ok := settingChanged(m)
	if !ok {
		return
	}
	asked, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	stream, err := n.store.js.Stream(asked, settingsStream)
	if err != nil {
		n.log.Warn("change of a setting not announced", "error", err)
		return
	}
	data.Revision.Epoch = settingsEpoch(stream.CachedInfo())
	n.events.announceSetting(data)
}

// settingsEpoch is another one for each bucket that is made.
func settingsEpoch(info *jetstream.StreamInfo) string {
	return strconv.FormatInt(info.Created.UnixNano(), 36)
}

// settingChanged reads what the bucket has stored, all but the epoch. What
// makes no sense is nobody's setting.
func settingChanged(m *nats.Msg) (schemas.SettingChanged, bool) {
	parts := strings.Split(strings.TrimPrefix(m.Subject, provision.SettingsChanges+"."), ".")
	at, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil || len(parts) != 3 || m.Header.Get(jetstream.StreamHeader) != settingsStream {
		return schemas.SettingChanged{}, false
	}
	gone := m.Header.Get(kvOperation) != ""
	k := registry.ServiceKey{Realm: parts[0], Service: parts[1]}
	one := registry.Setting{Name: parts[2], Value: string(m.Data)}
	return schemas.SettingChanged{
		AboutService: schemas.AboutService{Realm: k.Realm, Service: k.Service},
		Revision:     schemas.Revision{Sequence: at}, Name: one.Name, Gone: gone,
	}, k.Validate() == nil && one.Validate() == nil
}

// announceSetting queues the event, by an id that another node would give it
// too.
func (l *eventLog) announceSetting(e schemas.SettingChanged) {
	l.mu.Lock()
	id := eventID(l.secret, e.Revision.Epoch, e.Revision.Sequence, "setting")
	l.mu.Unlock()
	l.add(e, id, time.Now())
}
