package schemas

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
