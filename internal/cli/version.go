package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(build Build) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, commit and Go version",
		Example: "  postern version -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := formatOf(cmd)
			if err != nil {
				return err
			}
			build = build.withDefaults()
			if format != asText {
				return format.print(cmd.OutOrStdout(), struct {
					Build
					Go string `json:"go"`
				}{build, runtime.Version()})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "postern %s (%s, %s)\n", build.Version, build.Commit, runtime.Version())
			return err
		},
	}
}

// withDefaults fills in what `go install module@version` knows and the linker did not say.
func (b Build) withDefaults() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Commit = cmp.Or(b.Commit, s.Value)
		}
	}
	b.Version = cmp.Or(b.Version, info.Main.Version, "devel")
	b.Commit = cmp.Or(b.Commit, "unknown")
	return b
}
