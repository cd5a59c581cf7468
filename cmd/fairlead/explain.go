package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
)

// explainFlags say what is to be explained, and who is asked.
type explainFlags struct {
	bySidecar   bool
	sidecarAddr string
	headers     []string
	timeout     *span
}

// newExplainCommand says why the instances of a service get requests or not.
func newExplainCommand(set *settings) *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use:   "explain SERVICE|URL",
		Short: "Say for each instance of a service whether it gets requests, and why not",
		Long: `Say for each instance of a service whether it gets requests, and why not: its
registration and lease, operators' flags with who set them and why, health,
draining. With --sidecar it is this host's sidecar that is asked, which knows
also what it has set aside after failures.

Of a URL it is said which of the service's rules matches, and what of the
services is to be said to which that leads.

Exit code 0 means that at least one instance gets requests; 3 that none does,
because there is no such service or every instance of it is disabled or drains;
4 that the registry was never seen or does not answer.`,
		Example: `  fairlead explain identity
  fairlead explain service://identity/search/x -H 'X-Cohort: early'
  fairlead explain identity --sidecar -o json`,
		Args: takes("SERVICE|URL"),
	}
	c.Flags().BoolVar(&f.bySidecar, "sidecar", false, "ask the sidecar of this host for its view")
	lookUp(c.Flags(), "sidecar") // FAIRLEAD_SIDECAR is where it listens
	sidecarAddrFlag(c, &f.sidecarAddr, "sidecar-addr")
	c.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "header 'Name: value' of a request for the URL; may be given several times")
	f.timeout = timeoutFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		explain, err := set.explaining(args[0], f.headers)
		if err != nil {
			return err
		}
		return set.asking(c.Context(), f, explain)
	}
	return c
}

// explaining is what is done with whoever can be asked for explanations: for a
// service or for a request.
func (s *settings) explaining(of string, headers []string) (func(explainer) error, error) {
	if strings.Contains(of, "://") {
		asked, err := newAsked(of, headers)
		return func(ask explainer) error { return s.explainRequest(ask, of, asked) }, err
	}
	if len(headers) > 0 {
		return nil, usagef("--header: needs a URL, like service://%s/", of)
	}
	return func(ask explainer) error {
		x, err := ask(of)
		if err != nil {
			return err
		}
		return s.printExplanation(x)
	}, registry.ServiceKey{Realm: s.realm, Service: of}.Validate()
}

// An explainer explains one service.
type explainer func(service string) (registry.Explanation, error)

// asking has the registry, or the sidecar of this host, explain.
func (s *settings) asking(ctx context.Context, f explainFlags, explain func(explainer) error) error {
	if f.bySidecar {
		return explain(func(service string) (registry.Explanation, error) {
			return explainedBySidecar(ctx, f.timeout, f.sidecarAddr, registry.ServiceKey{Realm: s.realm, Service: service})
		})
	}
	return s.ask(ctx, f.timeout, func(ctx context.Context, session *connect.Session) error {
		return explain(func(service string) (registry.Explanation, error) { return s.explained(ctx, session, service) })
	})
}

// explained asks Atlas for the table and for what it alone knows.
func (s *settings) explained(ctx context.Context, session *connect.Session, service string) (x registry.Explanation, err error) {
	snap, _, err := s.snapshot(ctx, session, service)
	if err != nil {
		return x, err
	}
	facts, err := session.Atlas().Facts(ctx, registry.ServiceKey{Realm: s.realm, Service: service})
	if err != nil {
		return x, err
	}
	now := time.Now()
	return registry.Explain(registry.Evidence{
		Realm: s.realm, Service: service, Table: snap.Table().From(registry.Live, now), Now: now, Facts: &facts,
	}), nil
}

// explainedBySidecar is what the sidecar of this host says of its own table.
func explainedBySidecar(ctx context.Context, timeout *span, address string, key registry.ServiceKey) (x registry.Explanation, err error) {
	resp, body, err := get(ctx, timeout, fmt.Sprintf("http://%s/v1/realms/%s/services/%s/explain", address, key.Realm, key.Service), nil)
	if err != nil {
		return x, reworded{fmt.Sprintf("no sidecar answers: %v (--sidecar-addr names another address)", err), errors.Join(registry.ErrUnavailable, err)}
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &x) != nil {
		return x, fmt.Errorf("%s answers %s, as no sidecar of realm %s would (--sidecar-addr names another address)", address, resp.Status, key.Realm)
	}
	return x, nil
}

// printExplanation ends with why no instance gets requests, if none does.
func (s *settings) printExplanation(x registry.Explanation) error {
	if s.json() {
		return errors.Join(s.printJSON(x), silently(x.Err()))
	}
	if err := s.printInstances(x); err != nil {
		return err
	}
	for i, rule := range x.Rules {
		fmt.Fprintf(s.out, "rule %d: %s to %s\n", i+1, condition(rule), shares(rule.Split))
	}
	return errors.Join(s.printOrigin(x), silently(x.Err()))
}

func (s *settings) printInstances(x registry.Explanation) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, one := range x.Instances {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", one.Instance, place(one.View), lastHeard(one.Facts), one.Verdict)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_, err := fmt.Fprintf(s.out, "%s: %s\n", x.Service, x.Verdict)
	return err
}

// printOrigin tells what an explanation rests on.
func (s *settings) printOrigin(x registry.Explanation) error {
	if x.Omitted > 0 {
		fmt.Fprintf(s.err, "note: the registry left out what it knows of %s more\n", counted(x.Omitted, "instance"))
	}
	if !x.Facts {
		fmt.Fprintln(s.err, "note: the registry did not answer; this is from the table alone")
	}
	_, err := fmt.Fprintln(s.err, origin{Realm: x.Realm, Source: x.Source, Revision: x.Revision, AgeMS: x.AgeMS})
	return err
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
