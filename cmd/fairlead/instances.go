package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/registry"
)

// newInstancesCommand lists the instances of a service, or of all.
func newInstancesCommand(set *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "instances [SERVICE]",
		Short: "List instances: where they are, how they fare, who switched them off",
		Example: `  fairlead instances identity
  fairlead instances -o json`,
		Args: takes("[SERVICE]"),
	}
	timeout := timeoutFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		service, err := optionalService(args)
		if err != nil {
			return err
		}
		return set.askOrRecall(c.Context(), timeout, service, func(snap registry.Snapshot, from origin) error {
			return set.listInstances(snap, from, service)
		})
	}
	return c
}

// optionalService returns the service that the arguments name; none means all.
func optionalService(args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	return args[0], registry.ValidateName("service", args[0])
}

type instancesListing struct {
	origin
	Instances []instanceRow `json:"instances"`
}

// An instanceRow is everything that tables hold of an instance, and its
// address in one word.
type instanceRow struct {
	registry.Instance
	Endpoint string `json:"endpoint"`
}

func (s *settings) listInstances(snap registry.Snapshot, from origin, service string) error {
	listing := instancesListing{origin: from, Instances: instanceRows(snap)}
	if service != "" && len(listing.Instances) == 0 {
		return fmt.Errorf("%w: %s in realm %s", registry.ErrNoSuchService, service, s.realm)
	}
	return s.list(listing, from, func(w io.Writer) { writeInstances(w, listing.Instances, time.Now()) })
}

func instanceRows(snap registry.Snapshot) []instanceRow {
	rows := []instanceRow{}
	for _, service := range snap.Services {
		for _, in := range service.Instances {
			rows = append(rows, instanceRow{Instance: in, Endpoint: endpoint(in)})
		}
	}
	return rows
}

func endpoint(in registry.Instance) string { return in.Scheme + "://" + in.Addr() }

func writeInstances(w io.Writer, rows []instanceRow, now time.Time) {
	fmt.Fprintln(w, "SERVICE\tINSTANCE\tENDPOINT\tSTATUS\tENABLED\tVERSION\tZONE\tWEIGHT\tREGISTERED\tREASON")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%t\t%s\t%s\t%d\t%s\t%s\n", r.Service, r.ID, r.Endpoint, r.Status, r.Enabled,
			dash(r.Version), dash(r.Zone), r.Weight, since(r.Since, now), dash(whyUnused(r.Instance)))
	}
}

// whyUnused says why an operator keeps an instance from being used, who it was,
// and until when that holds. Of one that is used there is nothing to explain.
func whyUnused(in registry.Instance) string {
	if in.Usable() {
		return ""
	}
	var aside []string
	if in.Owner != "" {
		aside = append(aside, in.Owner)
	}
	if !in.Until.IsZero() {
		aside = append(aside, "until "+in.Until.Local().Format(time.RFC3339))
	}
	if len(aside) == 0 {
		return in.Reason
	}
	return strings.TrimSpace(in.Reason + " (" + strings.Join(aside, ", ") + ")")
}
