// Package cli holds the commands of postern, one file each. They read flags and files, call the packages that do the
// work, and print. What a person asked for goes to standard output; everything about it goes to standard error.
//
// Exit codes: 0 done, 1 failed (or denied, for check), 2 bad usage or configuration.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Build says which build this is; the linker fills it in.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
}

// Main runs the command line without the program's name and returns the exit code.
func Main(args []string, build Build) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, build, os.Stdin, os.Stdout, os.Stderr)
}

func run(ctx context.Context, args []string, build Build, in io.Reader, out, errOut io.Writer) int {
	root := newRoot(build)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	var usage *usageError
	var told *toldError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &told):
		return told.code
	case errors.As(err, &usage):
		fmt.Fprintf(errOut, "postern: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(errOut, "postern: %v\n", err)
		return exitFailed
	}
}

// usageError is a mistake in flags, arguments or configuration.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// toldError ends the program with a code after everything has been printed.
type toldError struct{ code int }

func (e *toldError) Error() string { return fmt.Sprintf("exit %d", e.code) }

func newRoot(build Build) *cobra.Command {
	root := &cobra.Command{
		Use:   "postern",
		Short: "Authenticate and authorize requests for Envoy",
		Long: `Postern is an Envoy external-authorization (ext_authz) service. Envoy asks it about every request; it checks API
keys, request signatures and tokens against policies written in YAML, and answers allow, with identity headers, or
deny, with a proper challenge.`,
		Example: `  postern serve --resources ./policies
  postern check --resources ./policies -H 'X-API-Key: pk_…' https://orders.example.com/orders/1
  postern lint ./policies`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          onlyCommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringP("output", "o", string(asText), "output format: text, json or yaml")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{string(asText), string(asJSON), string(asYAML)}, cobra.ShellCompDirectiveNoFileComp))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; `%s --help` lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(newServe(build), newCheck(), newLint(), newKeys(), newApps(), newUsage(), newAudit(), newMigrate(), newSecrets(), newSign(), newVersion(build))
	return root
}

// onlyCommands is for a command that does nothing by itself.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unknown command %q; `%s --help` lists the commands", args[0], cmd.CommandPath())
	}
	return nil
}

// noArgs, upToOneArg and oneArg say what is wrong with the arguments as usage errors.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

func upToOneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usagef("%s takes one argument at most, %s; got %d", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}

func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("%s takes one argument, %s; got %d", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}
