package schemas

import (
	"fmt"
	"strings"
)

// A Type is a CloudEvent's type attribute: dev.fairlead.<token>.v<version>.
type Type string

// What happens to an instance.
const (
	TypeInstanceRegistered    Type = "dev.fairlead.instance.registered.v1"
	TypeInstanceUpdated       Type = "dev.fairlead.instance.updated.v1"
	TypeInstanceStatusChanged Type = "dev.fairlead.instance.status-changed.v1"
	TypeInstanceEnabled       Type = "dev.fairlead.instance.enabled.v1"
	TypeInstanceDisabled      Type = "dev.fairlead.instance.disabled.v1"
	TypeInstanceDrainChanged  Type = "dev.fairlead.instance.drain-changed.v1"
	TypeInstanceWeightChanged Type = "dev.fairlead.instance.weight-changed.v1"
	TypeInstanceDeregistered  Type = "dev.fairlead.instance.deregistered.v1"
	TypeInstanceEvicted       Type = "dev.fairlead.instance.evicted.v1"
)

// What happens to a service as a whole.
const (
	TypeServiceUpdated Type = "dev.fairlead.service.updated.v1"
	TypeSettingChanged Type = "dev.fairlead.setting.changed.v1"
)

// What happens to the registry itself.
const (
	TypeEntryQuarantined Type = "dev.fairlead.entry.quarantined.v1"
	TypeEntryRecovered   Type = "dev.fairlead.entry.recovered.v1"
	TypeRegistryRebuilt  Type = "dev.fairlead.registry.rebuilt.v1"
	TypeRegistryHeld     Type = "dev.fairlead.registry.held.v1"
	TypeRegistryReleased Type = "dev.fairlead.registry.released.v1"
)

// What happens to the versions that run. These are kept for good.
const (
	TypeDeployVersionChanged Type = "dev.fairlead.deploy.version-changed.v1"
	TypeDeployStarted        Type = "dev.fairlead.deploy.started.v1"
	TypeDeployFinished       Type = "dev.fairlead.deploy.finished.v1"
	TypeDeployFailed         Type = "dev.fairlead.deploy.failed.v1"
	TypeDeployRolledBack     Type = "dev.fairlead.deploy.rolled-back.v1"
)

const (
	typePrefix  = "dev.fairlead."
	typeVersion = ".v1"
)

// Types returns every event type, in the order in which they are documented.
func Types() []Type {
	return []Type{
		TypeInstanceRegistered, TypeInstanceUpdated, TypeInstanceStatusChanged,
		TypeInstanceEnabled, TypeInstanceDisabled,
		TypeInstanceDrainChanged, TypeInstanceWeightChanged,
		TypeInstanceDeregistered, TypeInstanceEvicted,
		TypeServiceUpdated, TypeSettingChanged,
		TypeEntryQuarantined, TypeEntryRecovered, TypeRegistryRebuilt,
		TypeRegistryHeld, TypeRegistryReleased,
		TypeDeployVersionChanged, TypeDeployStarted, TypeDeployFinished,
		TypeDeployFailed, TypeDeployRolledBack,
	}
}

// Token returns the end of the subject that a type is published on, as
// "instance.registered" for dev.fairlead.instance.registered.v1. The version
// is not in it: the subject begins with one.
func (t Type) Token() string {
	return strings.TrimSuffix(strings.TrimPrefix(string(t), typePrefix), typeVersion)
}

// Data is what an event of this package carries.
type Data interface {
	// EventType is the CloudEvent's type.
	EventType() Type
	// Scope names the realm and the service in the subject that the event is
	// published on.
	Scope() (realm, service string)
}

// NewData returns a pointer to an empty value of the type's data, to decode
// into. The error says that the type is not one of [Types].
func (t Type) NewData() (Data, error) {
	switch t {
	case TypeInstanceRegistered:
		return &InstanceRegistered{}, nil
	case TypeInstanceUpdated:
		return &InstanceUpdated{}, nil
	case TypeInstanceStatusChanged:
		return &InstanceStatusChanged{}, nil
	case TypeInstanceEnabled:
		return &InstanceEnabled{}, nil
	case TypeInstanceDisabled:
		return &InstanceDisabled{}, nil
	case TypeInstanceDrainChanged:
		return &InstanceDrainChanged{}, nil
	case TypeInstanceWeightChanged:
		return &InstanceWeightChanged{}, nil
	case TypeInstanceDeregistered:
		return &InstanceDeregistered{}, nil
	case TypeInstanceEvicted:
		return &InstanceEvicted{}, nil
	case TypeServiceUpdated:
		return &ServiceUpdated{}, nil
	case TypeSettingChanged:
		return &SettingChanged{}, nil
	case TypeEntryQuarantined:
		return &EntryQuarantined{}, nil
	case TypeEntryRecovered:
		return &EntryRecovered{}, nil
	case TypeRegistryRebuilt:
		return &RegistryRebuilt{}, nil
	case TypeRegistryHeld:
		return &RegistryHeld{}, nil
	case TypeRegistryReleased:
		return &RegistryReleased{}, nil
	case TypeDeployVersionChanged:
		return &DeployVersionChanged{}, nil
	case TypeDeployStarted:
		return &DeployStarted{}, nil
	case TypeDeployFinished:
		return &DeployFinished{}, nil
	case TypeDeployFailed:
		return &DeployFailed{}, nil
	case TypeDeployRolledBack:
		return &DeployRolledBack{}, nil
	}
	return nil, fmt.Errorf("event type %q: expected one of schemas.Types", string(t))
}
