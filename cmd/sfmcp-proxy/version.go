package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// What the linker sets in release builds; in others [debug.ReadBuildInfo] knows, if the
// build saw the history of the sources.
var (
	version = notSet
	commit  = notSet
)

const notSet = ""

// developing is the version of these sources: between two releases the next one with -dev, which the composition,
// the chart and the Dockerfile have, too.
const developing = "0.2.0-dev"

func init() {
	if info, ok := debug.ReadBuildInfo(); ok {
		version, commit = identity(version, commit, info)
	}
	if version == notSet {
		version = developing
	}
	if commit == notSet {
		commit = "unknown"
	}
}

// identity fills in what the linker did not set from what the build recorded.
func identity(version, commit string, info *debug.BuildInfo) (string, string) {
	if version == notSet && info.Main.Version != "(devel)" {
		version = info.Main.Version
	}
	if commit != notSet {
		return version, commit
	}
	changed := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if commit != notSet && changed {
		commit += ", with changes"
	}
	return version, commit
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print version, commit and Go version", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionText())
			return err
		},
	}
}

func versionText() string {
	return fmt.Sprintf("sfmcp-proxy %s (commit %s, %s)", version, commit, runtime.Version())
}
