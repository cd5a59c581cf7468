package schemas

import "time"

// EntryQuarantined says that somebody put a value into the registry's bucket
// that makes no sense. The last good value stays in force.
//
// Realm, service and instance are those that the key names. Where it names
// none, they are [UnknownRealm], [PlatformService] and absent.
type EntryQuarantined struct {
	AboutService
	Instance string   `json:"instance,omitempty"`
	Revision Revision `json:"revision"`
	// Key is the bucket's key as it is.
	Key string `json:"key"`
	// Problem names the field and what was expected.
	Problem string `json:"problem"`
}

// EventType implements [Data].
func (EntryQuarantined) EventType() Type { return TypeEntryQuarantined }

// EntryRecovered says that a quarantined key was mended or deleted.
type EntryRecovered struct {
	AboutService
	Instance string   `json:"instance,omitempty"`
	Revision Revision `json:"revision"`
	Key      string   `json:"key"`
}

// EventType implements [Data].
func (EntryRecovered) EventType() Type { return TypeEntryRecovered }

// RegistryRebuilt says that the registry begins a new epoch, because its
// bucket was made anew. Revisions of the old epoch compare with nothing any
// more: ask for a snapshot. It is published once a realm, and its service is
// [PlatformService].
type RegistryRebuilt struct {
	AboutService
	// Revision is the first of the new epoch that holds.
	Revision Revision `json:"revision"`
	// PreviousEpoch is empty if none was known.
	PreviousEpoch string `json:"previous_epoch,omitempty"`
	// Instances is how many of the realm were carried over.
	Instances int `json:"instances"`
}

// EventType implements [Data].
func (RegistryRebuilt) EventType() Type { return TypeRegistryRebuilt }

// RegistryHeld says that so many instances of a realm fell silent at once that
// the registry itself may be cut off: those that cannot be proven dead stay
// listed, as suspect. Its service is [PlatformService].
type RegistryHeld struct {
	AboutService
	Revision Revision `json:"revision"`
	// Instances is how many the realm has, Silent how many of them are not
	// heard or went within the last seconds.
	Instances int `json:"instances"`
	Silent    int `json:"silent"`
}

// EventType implements [Data].
func (RegistryHeld) EventType() Type { return TypeRegistryHeld }

// RegistryReleased says that what [RegistryHeld] told of has ended: who is
// still silent goes.
type RegistryReleased struct {
	AboutService
	Revision  Revision  `json:"revision"`
	Since     time.Time `json:"since"`
	Instances int       `json:"instances"`
	Silent    int       `json:"silent"`
}

// EventType implements [Data].
func (RegistryReleased) EventType() Type { return TypeRegistryReleased }
