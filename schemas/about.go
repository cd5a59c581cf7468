package schemas

// PlatformService stands for the service in events that are about a whole
// realm, or about an entry whose key names no service.
const PlatformService = "atlas"

// UnknownRealm stands for the realm where an entry's key names none.
const UnknownRealm = "unknown"

// A Revision says where in the registry's order a change stands. Sequences are
// comparable within an epoch only.
type Revision struct {
	Epoch    string `json:"epoch"`
	Sequence uint64 `json:"sequence"`
}

// AboutService is what every event carries.
type AboutService struct {
	Realm   string `json:"realm"`
	Service string `json:"service"`
}

// Scope returns the realm and the service.
func (a AboutService) Scope() (realm, service string) { return a.Realm, a.Service }

// AboutInstance is what every event of an instance carries.
type AboutInstance struct {
	AboutService
	Instance string   `json:"instance"`
	Revision Revision `json:"revision"`
}
