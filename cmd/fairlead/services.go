package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fairlead.dev/registry"
)

// newServicesCommand lists the services of a realm.
func newServicesCommand(set *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "services",
		Short: "List the services that have instances, or of which something is known",
		Example: `  fairlead services
  fairlead services -o json`,
	}
	timeout := timeoutFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return set.askOrRecall(c.Context(), timeout, "", set.listServices)
	}
	return c
}

type servicesListing struct {
	origin
	Services []serviceRow `json:"services"`
}

// A serviceRow counts the instances of a service, those of them that pass
// their checks, and those that are switched off. Meta is what is known of the
// service itself.
type serviceRow struct {
	Service   string        `json:"service"`
	Instances int           `json:"instances"`
	Passing   int           `json:"passing"`
	Disabled  int           `json:"disabled"`
	Meta      registry.Meta `json:"meta,omitzero"`
}

func (s *settings) listServices(snap registry.Snapshot, from origin) error {
	listing := servicesListing{origin: from, Services: serviceRows(snap)}
	return s.list(listing, from, func(w io.Writer) {
		fmt.Fprintln(w, "SERVICE\tINSTANCES\tPASSING\tDISABLED\tOWNER")
		for _, r := range listing.Services {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", r.Service, r.Instances, r.Passing, r.Disabled, dash(r.Meta.Owner))
		}
	})
}

func serviceRows(snap registry.Snapshot) []serviceRow {
	rows := []serviceRow{}
	for _, service := range snap.Services {
		if len(service.Instances) > 0 || !service.Meta.IsZero() {
			rows = append(rows, countInstances(service))
		}
	}
	return rows
}

func countInstances(service registry.ServiceSnapshot) serviceRow {
	row := serviceRow{Service: service.Name, Instances: len(service.Instances), Meta: service.Meta}
	for _, in := range service.Instances {
		if in.Status == registry.Passing {
			row.Passing++
		}
		if !in.Enabled {
			row.Disabled++
		}
	}
	return row
}
