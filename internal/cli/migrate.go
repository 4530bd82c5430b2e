package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
	"github.com/postern-auth/postern/internal/server"
)

func newMigrate() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database of keys to this version's schema",
		Long: `Brings the schema of keystore.database to the version that this program is made for. The server does that by itself when
it starts; this is for those who want it done before. Servers of the version before go on working.
Several may run at once: one migrates, the others wait.`,
		Example: "  postern migrate -c postern.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := formatOf(cmd)
			if err != nil {
				return err
			}
			store, err := openDatabase(file)
			if err != nil {
				return err
			}
			defer func() { _ = store.Close() }() // everything is committed
			from, to, err := store.Migrate(cmd.Context())
			if err != nil {
				return err
			}
			if format != asText {
				return format.print(cmd.OutOrStdout(), map[string]int{"from": from, "to": to})
			}
			if from == to {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "The schema is at version %d already.\n", to)
			} else {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "The schema was at version %d and is at %d now.\n", from, to)
			}
			return err
		},
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
