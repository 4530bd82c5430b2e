package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/server"
)

func newLint() *cobra.Command {
	f := configFlags{}
	cmd := &cobra.Command{
		Use:   "lint [DIR]",
		Short: "Check a directory of resources",
		Long: `Reads every resource below DIR (default: the configuration's resources.dir), compiles it as the server would, and
lists what is wrong with file, line, object, field and remedy. Warnings name what a scheme gives up: what its clients do
not sign, replays, weak algorithms. Nothing is fetched and nothing is started, and of postern.yaml the values are checked,
not whether the server's certificates are here.

Exit codes: 0 nothing wrong, whatever the warnings, 1 something is wrong, 2 bad usage.`,
		Example: `  postern lint ./policies
  postern lint -c postern.yaml -o json
  postern lint -o json ./policies | jq -r '.warnings[] | "\(.file):\(.line) \(.message)"'`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		Args: upToOneArg("the directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := formatOf(cmd)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				f.dir = args[0]
			}
			cfg, err := f.read()
			if err != nil {
				return err
			}
			result, err := server.Inspect(cmd.Context(), cfg, false)
			if err != nil {
				return &usageError{err}
			}
			defer result.Close()
			if format != asText {
				err = format.print(cmd.OutOrStdout(), newLintReport(result))
			} else {
				err = printLint(cmd, result)
			}
			if err == nil && len(result.Errors) > 0 {
				err = &toldError{exitFailed}
			}
			return err
		},
	}
	addConfigFlag(cmd, &f.file)
	return cmd
}

// lintReport is what -o json prints.
type lintReport struct {
	Schemes  int       `json:"schemes"`
	Policies int       `json:"policies"`
	Apps     int       `json:"apps"`
	Errors   []finding `json:"errors"`
	Warnings []finding `json:"warnings"`
}

type finding struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Object  string `json:"object,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`

	Reason v1alpha1.Reason `json:"reason,omitempty"`
}

func newLintReport(r *server.Inspection) lintReport {
	return lintReport{
		Schemes: r.Schemes, Policies: r.Policies, Apps: r.Apps,
		Errors: findings(r.Errors), Warnings: findings(r.Warnings),
	}
}

func findings(errs v1alpha1.Errors) []finding {
	all := []finding{} // never null in JSON
	for _, e := range errs {
		all = append(all, finding(*e))
	}
	return all
}

func printLint(cmd *cobra.Command, r *server.Inspection) error {
	for _, e := range r.Errors {
		fmt.Fprintln(cmd.OutOrStdout(), e.Error())
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(cmd.OutOrStdout(), "warning: "+w.Error())
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "%d schemes, %d policies, %d apps: %d errors, %d warnings\n",
		r.Schemes, r.Policies, r.Apps, len(r.Errors), len(r.Warnings))
	return err
}
