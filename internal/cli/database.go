package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/internal/server"
)

// onDatabase completes a command that works on the database of keys itself, not through a server. The work yields what
// it did, as figures and as a sentence.
func onDatabase(cmd *cobra.Command, work func(context.Context, *sqlstore.Store) (map[string]int, string, error)) *cobra.Command {
	var file string
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := formatOf(cmd)
		if err != nil {
			return err
		}
		store, err := openDatabase(file)
		if err != nil {
			return err
		}
		defer func() { _ = store.Close() }() // everything is committed
		figures, said, err := work(cmd.Context(), store)
		if err != nil {
			return err
		}
		if format != asText {
			return format.print(cmd.OutOrStdout(), figures)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
		return err
	}
	addConfigFlag(cmd, &file)
	return cmd
}

// openDatabase opens the database of keys that the configuration names.
func openDatabase(file string) (*sqlstore.Store, error) {
	cfg, err := readConfig(file)
	if err != nil {
		return nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, &usageError{err}
	}
	if cfg.KeyStore.Database == nil {
		return nil, usagef("keystore.database is not set; name the server's configuration with -c")
	}
	store, err := server.OpenDatabase(cfg)
	if err != nil {
		return nil, &usageError{err}
	}
	return store, nil
}
