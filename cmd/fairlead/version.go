package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// newVersionCommand says what was built from what.
func newVersionCommand(set *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		RunE:  func(*cobra.Command, []string) error { return set.printVersion() },
	}
}

func (s *settings) printVersion() error {
	info, _ := debug.ReadBuildInfo()
	v := versionOf(info)
	if s.json() {
		return s.printJSON(v)
	}
	_, err := fmt.Fprintln(s.out, v)
	return err
}

// A buildVersion tells what was built. Revision is empty where the sources
// were not in version control.
type buildVersion struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionOf(info *debug.BuildInfo) buildVersion {
	v := buildVersion{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return v
	}
	v.Version = cmp.Or(info.Main.Version, "(devel)")
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (v buildVersion) String() string {
	text := fmt.Sprintf("fairlead %s (%s, %s)", v.Version, v.Go, v.Platform)
	if v.Revision != "" {
		text += " revision " + v.Revision
	}
	if v.Modified {
		text += ", modified"
	}
	return text
}

func programVersion() string {
	info, _ := debug.ReadBuildInfo()
	v := versionOf(info)
	if v.Revision == "" {
		return v.Version
	}
	return v.Version + " " + v.Revision
}
