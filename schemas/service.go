package schemas

// Meta is what is known of a service as a whole.
type Meta struct {
	Owner       string   `json:"owner,omitempty"`
	Description string   `json:"description,omitempty"`
	Repository  string   `json:"repository,omitempty"`
	OpenAPI     string   `json:"openapi,omitempty"`
	Health      string   `json:"health,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	Policy      *Policy  `json:"policy,omitempty"`
	Rules       []Rule   `json:"rules,omitempty"`
}

// A Rule sends some of the requests for a service to other services.
type Rule struct {
	PathPrefix string      `json:"path_prefix,omitempty"`
	Header     HeaderMatch `json:"header,omitzero"`
	Split      []Share     `json:"split"`
}

// A HeaderMatch is one header line that a request must have.
type HeaderMatch struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Share is one service's part of the requests.
type Share struct {
	Service string `json:"service"`
	Weight  int    `json:"weight"`
}

// A Policy is how a service wants to be called by those who say nothing else.
// Durations are written as in "1.5s".
type Policy struct {
	Attempts       int    `json:"attempts,omitempty"`
	Timeout        string `json:"timeout,omitempty"`
	TryTimeout     string `json:"try_timeout,omitempty"`
	Hedge          bool   `json:"hedge,omitempty"`
	IdempotencyKey bool   `json:"idempotency_key,omitempty"`
	RouteOverride  bool   `json:"route_override,omitempty"`
}

// ServiceUpdated says that something else is known of a service than before.
// The service need not have instances.
type ServiceUpdated struct {
	AboutService
	Revision Revision `json:"revision"`
	// Meta is nil when what was known was taken away.
	Meta *Meta `json:"meta,omitempty"`
}

// EventType implements [Data].
func (ServiceUpdated) EventType() Type { return TypeServiceUpdated }

// SettingChanged says that one of a service's settings was set or taken away.
// Values are not in it: more may read events than settings.
type SettingChanged struct {
	AboutService
	// Revision is that of the settings' bucket, whose epoch compares with no
	// other.
	Revision Revision `json:"revision"`
	Name     string   `json:"name"`
	// Gone tells that it was taken away.
	Gone bool `json:"gone,omitempty"`
}

// EventType implements [Data].
func (SettingChanged) EventType() Type { return TypeSettingChanged }
