package bridge

import (
	"fmt"
	"net/http"
	"time"

	"fairlead.dev/registry"
)

// staleAfter is the age at which a table is worth a warning: several digests
// have not come.
const staleAfter = 30 * time.Second

// healthAnswer is health+json (draft-inadarei-api-health-check-06).
type healthAnswer struct {
	Status string                   `json:"status"`
	Output string                   `json:"output,omitempty"`
	Checks map[string][]healthCheck `json:"checks"`
}

type healthCheck struct {
	ComponentType string    `json:"componentType"`
	Status        string    `json:"status"`
	ObservedValue any       `json:"observedValue,omitempty"`
	ObservedUnit  string    `json:"observedUnit,omitempty"`
	Time          time.Time `json:"time"`
	Output        string    `json:"output,omitempty"`
}

// health answers whether the bridge has a table of its realm, and a fresh one,
// and whether the registry can be written to.
func (b *Bridge) health(w http.ResponseWriter, _ request) error {
	now := time.Now()
	check := checkTable(b.opts.Realm, b.feeds.table(b.opts.Realm), now)
	checks := map[string][]healthCheck{"registry:table-age": {check}}
	if b.opts.StorageError != nil {
		storage := checkStorage(b.opts.StorageError(), now)
		checks["registry:storage"] = []healthCheck{storage}
		if check.Status == "pass" {
			check = storage
		}
	}
	status := http.StatusOK
	if check.Status == "fail" {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/health+json")
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, status, healthAnswer{
		Status: check.Status, Output: check.Output, Checks: checks,
	})
}

// checkStorage is a warning at worst: who only reads is served as before.
func checkStorage(err error, now time.Time) healthCheck {
	check := healthCheck{ComponentType: "datastore", Status: "pass", Time: now}
	if err != nil {
		check.Status, check.Output = "warn", err.Error()
	}
	return check
}

func checkTable(realm string, table *registry.Table, now time.Time) healthCheck {
	check := healthCheck{ComponentType: "datastore", Status: "pass", Time: now}
	if table == nil {
		check.Status, check.Output = "fail", fmt.Sprintf("the registry has not answered for realm %s yet", realm)
		return check
	}
	age := now.Sub(table.Updated)
	check.ObservedValue, check.ObservedUnit = age.Seconds(), "s"
	switch {
	case table.Source == registry.Cached:
		check.Status, check.Output = "warn", fmt.Sprintf("the table of realm %s comes from a cache", realm)
	case age > staleAfter:
		check.Status, check.Output = "warn", fmt.Sprintf("the table of realm %s was last confirmed %s ago", realm, age.Round(time.Second))
	}
	return check
}
