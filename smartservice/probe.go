package smartservice

import (
	"encoding/json"
	"net/http"
	"time"
)

// Headers that tell on every health answer whose it is.
const (
	// HeaderInstance is <realm>/<service>/<instance>.
	HeaderInstance = "Fairlead-Instance"
	// HeaderIncarnation is the random id of this life of the instance.
	HeaderIncarnation = "Fairlead-Incarnation"
)

// Paths under which every service answers for itself.
const (
	pathLive    = "/health/live"
	pathReady   = "/health/ready"
	pathHealth  = "/health"
	pathMetrics = "/metrics"
)

// A document is an answer in the format of draft-inadarei-api-health-check-06.
type document struct {
	Status    Outcome                 `json:"status"`
	Version   string                  `json:"version,omitempty"`
	ServiceID string                  `json:"serviceId"`
	Notes     []string                `json:"notes,omitempty"`
	Output    string                  `json:"output,omitempty"`
	Checks    map[string][]checkEntry `json:"checks,omitempty"`
}

// A checkEntry is one check in a [document] (§4 of the draft).
type checkEntry struct {
	ComponentType string    `json:"componentType"`
	Status        Outcome   `json:"status"`
	ObservedValue float64   `json:"observedValue"`
	ObservedUnit  string    `json:"observedUnit"`
	Time          time.Time `json:"time,omitzero"`
	Output        string    `json:"output,omitempty"`
}

func (h *health) document(status Outcome) document {
	d := document{Status: status, Version: h.version, ServiceID: h.key.String()}
	if h.isDraining() {
		d.Output = "draining"
	}
	return d
}

// detailed adds every check.
func (h *health) detailed() document {
	d := h.document(h.ready())
	now := time.Now()
	for _, c := range h.checks {
		if d.Checks == nil {
			d.Checks = map[string][]checkEntry{}
		}
		name := c.name + ":responseTime"
		d.Checks[name] = append(d.Checks[name], entryOf(c.verdict(now)))
	}
	return d
}

func entryOf(v verdict) checkEntry {
	return checkEntry{
		ComponentType: "component",
		Status:        v.outcome,
		ObservedValue: float64(v.took.Microseconds()) / 1000,
		ObservedUnit:  "ms",
		Time:          v.at.UTC(),
		Output:        v.output,
	}
}

// A probe answers the health paths, and says on each answer whose they are.
type probe struct {
	health      *health
	incarnation string
	notes       func() []string
}

// handle answers the three health paths on mux.
func (p probe) handle(mux *http.ServeMux) {
	mux.HandleFunc("GET "+pathLive, func(w http.ResponseWriter, _ *http.Request) {
		p.write(w, p.health.document(Pass))
	})
	mux.HandleFunc("GET "+pathReady, func(w http.ResponseWriter, _ *http.Request) {
		p.write(w, p.health.document(p.health.ready()))
	})
	mux.HandleFunc("GET "+pathHealth, func(w http.ResponseWriter, _ *http.Request) {
		d := p.health.detailed()
		d.Notes = p.notes()
		p.write(w, d)
	})
}

func (p probe) write(w http.ResponseWriter, d document) {
	w.Header().Set(HeaderInstance, d.ServiceID)
	w.Header().Set(HeaderIncarnation, p.incarnation)
	w.Header().Set("Cache-Control", "no-store")
	status := http.StatusOK
	if d.Status == Fail {
		status = http.StatusServiceUnavailable
	}
	// A struct of strings, numbers and times cannot fail.
	body, _ := json.Marshal(d)
	write(w, status, "application/health+json", body)
}
