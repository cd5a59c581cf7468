package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// newExplainCommand says why the instances of a service get requests or not.
func newExplainCommand(set *settings) *cobra.Command {
	var bySidecar bool
	var sidecarAddr string
	c := &cobra.Command{
		Use:   "explain SERVICE",
		Short: "Say for each instance of a service whether it gets requests, and why not",
		Long: `Say for each instance of a service whether it gets requests, and why not: its
registration and lease, operators' flags with who set them and why, health,
draining. With --sidecar it is this host's sidecar that is asked, which knows
also what it has set aside after failures.

Exit code 0 means that at least one instance gets requests; 3 that none does,
because there is no such service or every instance of it is disabled or drains;
4 that the registry was never seen or does not answer.`,
		Example: `  fairlead explain identity
  fairlead explain identity --sidecar -o json`,
		Args: takes("SERVICE"),
	}
	c.Flags().BoolVar(&bySidecar, "sidecar", false, "ask the sidecar of this host for its view")
	lookUp(c.Flags(), "sidecar") // FAIRLEAD_SIDECAR is where it listens
	sidecarAddrFlag(c, &sidecarAddr, "sidecar-addr")
	timeout := timeoutFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		key := registry.ServiceKey{Realm: set.realm, Service: args[0]}
		if err := key.Validate(); err != nil {
			return err
		}
		if bySidecar {
			return set.explainBySidecar(c.Context(), timeout, sidecarAddr, key)
		}
		return set.ask(c.Context(), timeout, func(ctx context.Context, session *connect.Session) error {
			return set.explain(ctx, session, key)
		})
	}
	return c
}

// explain asks Atlas for the table and for what it alone knows.
func (s *settings) explain(ctx context.Context, session *connect.Session, key registry.ServiceKey) error {
	snap, _, err := s.snapshot(ctx, session, key.Service)
	if err != nil {
		return err
	}
	facts, err := session.Atlas().Facts(ctx, key)
	if err != nil {
		return err
	}
	now := time.Now()
	x := registry.Explain(registry.Evidence{
		Realm: key.Realm, Service: key.Service, Table: snap.Table().From(registry.Live, now), Now: now, Facts: &facts,
	})
	return s.printExplanation(x)
}

// explainBySidecar prints what the sidecar of this host says of its own table.
func (s *settings) explainBySidecar(ctx context.Context, timeout *span, address string, key registry.ServiceKey) error {
	resp, body, err := get(ctx, timeout, fmt.Sprintf("http://%s/v1/realms/%s/services/%s/explain", address, key.Realm, key.Service), nil)
	if err != nil {
		return fmt.Errorf("%w: no sidecar answers: %w (--sidecar-addr names another address)", registry.ErrUnavailable, err)
	}
	var x registry.Explanation
	if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &x) != nil {
		return fmt.Errorf("%s answers %s, as no sidecar of realm %s would (--sidecar-addr names another address)", address, resp.Status, key.Realm)
	}
	return s.printExplanation(x)
}

// printExplanation ends with why no instance gets requests, if none does.
func (s *settings) printExplanation(x registry.Explanation) error {
	if s.json() {
		return errors.Join(s.printJSON(x), silently(x.Err()))
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, one := range x.Instances {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", one.Instance, place(one.View), lastHeard(one.Facts), one.Verdict)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	fmt.Fprintf(s.out, "%s: %s\n", x.Service, x.Verdict)
	if x.Omitted > 0 {
		fmt.Fprintf(s.err, "note: the registry left out what it knows of %s more\n", counted(x.Omitted, "instance"))
	}
	if !x.Facts {
		fmt.Fprintln(s.err, "note: the registry did not answer; this is from the table alone")
	}
	_, err := fmt.Fprintln(s.err, origin{Realm: x.Realm, Source: x.Source, Revision: x.Revision, AgeMS: x.AgeMS})
	return errors.Join(err, silently(x.Err()))
}

// silently gives the exit code of an error whose text stands in the output.
func silently(err error) error {
	if err == nil {
		return nil
	}
	return exitError(exitCode(err))
}

func place(in *registry.Instance) string {
	if in == nil {
		return "-"
	}
	return endpoint(*in)
}

func lastHeard(f *registry.Facts) string {
	if f == nil || !f.Registered {
		return "-"
	}
	return "heard " + (time.Duration(f.HeartbeatAgeMS) * time.Millisecond).Round(100*time.Millisecond).String() + " ago"
}
