package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar"
	"fairlead.dev/sidecar/roster"
	"fairlead.dev/smartclient"
)

// sidecarAddrFlag declares where a command finds the sidecar that it asks: the
// same one as clients, if nothing else is said.
func sidecarAddrFlag(c *cobra.Command, addr *string, name string) {
	c.Flags().StringVar(addr, name, "127.0.0.1:4000", "where the sidecar listens")
	lookUp(c.Flags(), name, environmentName("sidecar-addr"), smartclient.EnvSidecar)
}

// newSidecarStatusCommand asks a sidecar about itself.
func newSidecarStatusCommand(set *settings) *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use:   "status",
		Short: "Tell which table this host's sidecar carries, and what it attends",
		Long: `Tell which table this host's sidecar carries, how old that is, when its data
plane was reloaded last and why, and how the programs are that it attends.

The exit code is 1 when the data plane does not carry the table, and 4 when no
sidecar answers.`,
		Example: `  fairlead sidecar status
  fairlead sidecar status --addr 127.0.0.1:4000 -o json`,
		Args: takes(),
	}
	sidecarAddrFlag(c, &addr, "addr")
	lookUpFormer(c.Flags(), "addr")
	timeout := spanFlag(c, "timeout", 5*time.Second, "how long to wait for the sidecar")
	c.RunE = func(c *cobra.Command, _ []string) error {
		report, err := askSidecar(c.Context(), timeout, addr)
		if err != nil {
			return elsewhere(err)
		}
		return set.printSidecar(report)
	}
	return c
}

// A sidecarReport is what a sidecar tells of itself.
type sidecarReport struct {
	sidecar.Status
	Attended []roster.Entry `json:"attended,omitempty"`
}

func askSidecar(ctx context.Context, timeout *span, addr string) (report sidecarReport, err error) {
	if report.Status, err = askStatus(ctx, timeout, addr); err != nil {
		return report, err
	}
	resp, body, err := get(ctx, timeout, "http://"+addr+"/attended", nil)
	// A sidecar that attends nobody does not know the path.
	if err == nil && resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(body, &report)
	}
	return report, err
}

// elsewhere says how another sidecar is asked.
func elsewhere(err error) error { return fmt.Errorf("%w (--addr names another address)", err) }

func askStatus(ctx context.Context, timeout *span, addr string) (status sidecar.Status, err error) {
	resp, body, err := get(ctx, timeout, "http://"+addr+"/status", nil)
	if err != nil {
		return status, reworded{fmt.Sprintf("no sidecar answers: %v", err), errors.Join(registry.ErrUnavailable, err)}
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &status) != nil || status.PID == 0 {
		return status, fmt.Errorf("%s answers %s, as no sidecar would", addr, resp.Status)
	}
	return status, nil
}

// printSidecar fails silently if the plane does not carry the table: what is
// wrong is in the report.
func (s *settings) printSidecar(r sidecarReport) error {
	if s.json() {
		if err := s.printJSON(r); err != nil {
			return err
		}
	} else {
		r.print(s.out)
	}
	if len(r.Problems) > 0 {
		return exitError(exitFailed)
	}
	return nil
}

func (r sidecarReport) print(out io.Writer) {
	state := "carries the table"
	if len(r.Problems) > 0 {
		state = "does not carry the table"
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("sidecar", "%s, pid %d, since %s", state, r.PID, r.Since.Format(time.RFC3339))
	for _, problem := range r.Problems {
		line("problem", "%s", problem)
	}
	if r.Plane.Warning != "" {
		line("warning", "%s", r.Plane.Warning)
	}
	line("plane", "%s, %s, %s", dash(r.Plane.Kind), counted(r.Plane.Reloads, "reload"), counted(r.Plane.Repairs, "repair"))
	if !r.Plane.Last.IsZero() {
		line("reloaded", "%s: %s", r.Plane.Last.Format(time.RFC3339), r.Plane.Why)
	}
	line("revision", "%s applied, %s offered", revisionText(r.Applied), revisionText(r.Offered))
	line("table", "%s, confirmed %s ago, %s, %s", dash(string(r.Source)),
		(time.Duration(r.AgeMS) * time.Millisecond).Round(time.Millisecond), counted(r.Services, "service"), counted(r.Instances, "instance"))
	for _, e := range r.Attended {
		if e.Service != "" {
			line("attends", "%s", strings.TrimSpace(fmt.Sprintf("%s: %s/%s %s %s", e.File, e.Service, e.Instance, e.Status, e.Reason)))
		}
		if e.Problem != "" {
			line("problem", "%s: %s", e.File, e.Problem)
		}
	}
	_ = w.Flush()
}

// revisionText is a revision's text; a sidecar that follows nothing yet has none.
func revisionText(r registry.Revision) string {
	if r == (registry.Revision{}) {
		return "none"
	}
	return r.String()
}

// newSidecarUpgradeCommand has the running sidecar replaced.
func newSidecarUpgradeCommand(set *settings) *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use:   "upgrade",
		Short: "Have this host's sidecar replaced by the program that is there now, without losing a connection",
		Long: `Have this host's sidecar replaced by the program that is there now, without
losing a connection: a new process takes its listeners over, and once that is
ready the old one takes no more requests and ends when those in flight have. If
the new one does not get ready, the old one goes on.

This sends SIGUSR2 to the sidecar's process, so it takes its user's rights. With
haproxy restart the sidecar instead: haproxy carries on with --keep-haproxy. The
sidecar of "fairlead up" ends and starts with that.`,
		Example: "  fairlead sidecar upgrade",
		Args:    takes(),
	}
	sidecarAddrFlag(c, &addr, "addr")
	lookUpFormer(c.Flags(), "addr")
	timeout := spanFlag(c, "timeout", upgradeWithin, "how long to wait for the new sidecar")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := timeout.bound(c.Context())
		defer cancel()
		return set.upgradeSidecar(ctx, timeout, addr)
	}
	return c
}

func (s *settings) upgradeSidecar(ctx context.Context, timeout *span, addr string) error {
	before, err := askStatus(ctx, timeout, addr)
	if err != nil {
		return elsewhere(err)
	}
	if before.Plane.Kind == planeHAProxy {
		return fmt.Errorf("process %d runs haproxy, which no other process takes over: restart the sidecar; with --keep-haproxy, or attached by --haproxy-socket, haproxy carries on meanwhile", before.PID)
	}
	process, err := os.FindProcess(before.PID)
	if err == nil {
		err = process.Signal(upgradeSignal)
	}
	if err != nil {
		return fmt.Errorf("ask process %d for an upgrade: %w", before.PID, err)
	}
	after, err := awaitOther(ctx, timeout, addr, before.PID)
	if err != nil {
		return fmt.Errorf("process %d goes on, see its log; \"fairlead up\" cannot be upgraded: %w", before.PID, err)
	}
	if s.json() {
		return s.printJSON(after)
	}
	_, err = fmt.Fprintf(s.out, "process %d (%s) has taken over from %d (%s)\n", after.PID, after.Version, before.PID, before.Version)
	return err
}

// upgradePace is how often a sidecar is asked whether it is the new one.
const upgradePace = 50 * time.Millisecond

// awaitOther waits for another process to answer. While both listen either
// does, so one answer is enough.
func awaitOther(ctx context.Context, timeout *span, addr string, than int) (status sidecar.Status, err error) {
	tick := time.NewTicker(upgradePace)
	defer tick.Stop()
	for {
		if status, err = askStatus(ctx, timeout, addr); err == nil && status.PID != than {
			return status, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return status, ctx.Err()
		}
	}
}
