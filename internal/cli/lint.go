package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/resource/v1alpha1"
	"github.com/postern-auth/postern/internal/server"
)

func newLint() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "lint [DIR]",
		Short: "Check a directory of resources",
		Long: `Reads every resource below DIR (default: the configuration's resources.dir), compiles it as the server would, and
lists what is wrong with file, line, object, field and remedy. Nothing is fetched and nothing is started.

Exit codes: 0 nothing wrong, 1 something is wrong, 2 bad usage.`,
		Example: `  postern lint ./policies
  postern lint -c postern.yaml -o json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%s takes one directory, got %d arguments", cmd.CommandPath(), len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := wantsJSON(cmd)
			if err != nil {
				return err
			}
			cfg, err := readConfig(file)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				cfg.Resources.Dir = args[0]
			}
			result, err := server.Inspect(cfg, false)
			if err != nil {
				return &usageError{err}
			}
			defer result.Close()
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), newLintReport(result))
			} else {
				err = printLint(cmd, result)
			}
			if err == nil && len(result.Errors) > 0 {
				err = &toldError{exitFailed}
			}
			return err
		},
	}
	addConfigFlag(cmd, &file)
	return cmd
}

// lintReport is what -o json prints.
type lintReport struct {
	Schemes  int         `json:"schemes"`
	Policies int         `json:"policies"`
	Apps     int         `json:"apps"`
	Errors   []lintError `json:"errors"`
}

type lintError struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Object  string `json:"object,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

func newLintReport(r *server.Inspection) lintReport {
	report := lintReport{Schemes: r.Schemes, Policies: r.Policies, Apps: r.Apps, Errors: []lintError{}}
	for _, e := range r.Errors {
		report.Errors = append(report.Errors, newLintError(e))
	}
	return report
}

func newLintError(e *v1alpha1.Error) lintError {
	return lintError{File: e.File, Line: e.Line, Object: e.Object, Field: e.Field, Message: e.Message, Remedy: e.Remedy}
}

func printLint(cmd *cobra.Command, r *server.Inspection) error {
	for _, e := range r.Errors {
		fmt.Fprintln(cmd.OutOrStdout(), e.Error())
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "%d schemes, %d policies, %d apps: %d errors\n",
		r.Schemes, r.Policies, r.Apps, len(r.Errors))
	return err
}

// addConfigFlag adds -c.
func addConfigFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "postern.yaml; without it the defaults and the flags count")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// readConfig loads the file, or the defaults when none is named. It does not validate: flags come on top.
func readConfig(file string) (*config.Config, error) {
	if file == "" {
		return config.Default(), nil
	}
	cfg, err := config.Load(file)
	if err != nil {
		return nil, &usageError{err}
	}
	return cfg, nil
}
