package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"fairlead.dev/cmd/fairlead/demo"
)

// newDemoCommand shows the main job: a realm of separate processes that loses
// no request, whatever happens to it.
func newDemoCommand(set *settings) *cobra.Command {
	opts := demo.Options{Logger: slog.New(slog.DiscardHandler)}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a realm of processes, and show that requests survive what happens to it",
		Long: `Starts a bus, a sidecar and five services as separate processes, sends some
470 requests a second through the smart client and through the sidecar, and
meanwhile disables and enables an instance, restarts all copies one by one,
ends one by SIGKILL, and kills and restarts the bus. Then it tells what the
callers saw. It exits with 1 if any idempotent request failed.`,
		RunE: func(c *cobra.Command, _ []string) error { return runDemo(c, set, opts) },
	}
	flags := c.Flags()
	flags.BoolVar(&opts.Once, "once", false, "end when the figures are there, on free ports unless they are given")
	flags.StringVar(&opts.NATSAddr, "nats-addr", "127.0.0.1:4222", "where the bus listens; port 0 picks one")
	flags.StringVar(&opts.HTTPAddr, "http-addr", "127.0.0.1:4300", "where the HTTP bridge listens; port 0 picks one")
	flags.StringVar(&opts.SidecarAddr, "sidecar-addr", "127.0.0.1:4000", "where the sidecar listens; port 0 picks one")
	return c
}

func runDemo(c *cobra.Command, set *settings, opts demo.Options) (err error) {
	if opts.Binary, err = os.Executable(); err != nil {
		return fmt.Errorf("find the fairlead command: %w", err)
	}
	if opts.Once {
		freePorts(c, &opts)
	}
	opts.Progress = set.out
	if set.json() {
		opts.Progress = set.err
	}
	opts.Finished = func(r *demo.Report) error { return writeReport(set.out, r, set.json()) }
	report, err := demo.Run(c.Context(), opts)
	if err == nil && !report.OK {
		return exitError(exitFailed)
	}
	return err
}

// freePorts lets a run that nobody plays with stand beside any other.
func freePorts(c *cobra.Command, opts *demo.Options) {
	for flag, addr := range map[string]*string{
		"nats-addr": &opts.NATSAddr, "http-addr": &opts.HTTPAddr, "sidecar-addr": &opts.SidecarAddr,
	} {
		if !c.Flags().Changed(flag) {
			*addr = "127.0.0.1:0"
		}
	}
}

func writeReport(out io.Writer, r *demo.Report, asJSON bool) error {
	if !asJSON {
		return r.WriteText(out)
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
