package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
)

// doctorFlags say where the parts should be; the names are those of `up`.
type doctorFlags struct {
	httpAddr    string
	sidecarAddr string
	timeout     *span
}

// newDoctorCommand looks at every part and says what is wrong.
func newDoctorCommand(set *settings) *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check the bus, the registry, the bridge and the sidecar",
		Long: `Check the bus, the registry, the bridge and the sidecar, and say what to do
about what is wrong. Exit code 1 means that a check failed; warnings do not
count.`,
		Example: `  fairlead doctor
  fairlead doctor -o json | jq '.checks[] | select(.status != "ok")'`,
	}
	c.Flags().StringVar(&f.httpAddr, "http-addr", "127.0.0.1:4300", "where the bridge should listen")
	sidecarAddrFlag(c, &f.sidecarAddr, "sidecar-addr")
	f.timeout = timeoutFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		for flag, address := range map[string]string{"http-addr": f.httpAddr, "sidecar-addr": f.sidecarAddr} {
			if _, _, err := splitAddress(flag, address); err != nil {
				return err
			}
		}
		return set.examine(c.Context(), f)
	}
	return c
}

// How a check ended.
const (
	isOK   = "ok"
	isWarn = "warn"
	isFail = "fail"
)

// A diagnosis is what one check found, and what to do about it.
type diagnosis struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

type report struct {
	Realm  string      `json:"realm"`
	Status string      `json:"status"`
	Checks []diagnosis `json:"checks"`
}

func (s *settings) examine(ctx context.Context, f doctorFlags) error {
	checks := append(s.examineBus(ctx, f.timeout),
		s.examineBridge(ctx, f.timeout, f.httpAddr), examineSidecar(ctx, f.timeout, f.sidecarAddr))
	r := report{Realm: s.realm, Status: worst(checks), Checks: checks}
	if err := s.printReport(r); err != nil {
		return err
	}
	if failed := count(checks, isFail); failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(checks))
	}
	return nil
}

// examineBus looks at the bus, and through it at the registry.
func (s *settings) examineBus(ctx context.Context, timeout *span) []diagnosis {
	ctx, cancel := timeout.bound(ctx)
	defer cancel()
	session, err := s.dial(ctx, connect.Options{})
	if err != nil {
		return []diagnosis{{"bus", isFail, err.Error(), "start `fairlead up`, or name the right bus by --nats-url"}}
	}
	checks := append([]diagnosis{examineConnection(session), examineProtection(session)}, examineRegistry(ctx, session)...)
	if err := closeSession(session); err != nil {
		checks = append(checks, diagnosis{"bus", isWarn, err.Error(), "the bus may be overloaded"})
	}
	return checks
}

func worst(checks []diagnosis) string {
	switch {
	case count(checks, isFail) > 0:
		return isFail
	case count(checks, isWarn) > 0:
		return isWarn
	}
	return isOK
}

func count(checks []diagnosis, status string) (n int) {
	for _, c := range checks {
		if c.Status == status {
			n++
		}
	}
	return n
}

func (s *settings) printReport(r report) error {
	if s.json() {
		return s.printJSON(r)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		printDiagnosis(w, c)
	}
	return w.Flush()
}

func printDiagnosis(w io.Writer, c diagnosis) {
	fmt.Fprintf(w, "%s\t%s\t%s\n", c.Status, c.Check, oneLine(errors.New(c.Detail)))
	if c.Hint != "" {
		fmt.Fprintf(w, "\t\t→ %s\n", c.Hint)
	}
}
